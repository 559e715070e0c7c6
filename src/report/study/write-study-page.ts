import { dirname, join, relative } from 'node:path';
import type { Store } from '../../store/store.ts';
import { writeAtomically } from '../../store/files/atomic.ts';
import { styleSheet } from '../style-sheet.ts';
import { finishedCells } from './finished-cells.ts';
import { loadStudy } from './load-study.ts';
import { standaloneSvg } from './standalone-svg.ts';
import { type Draw, studyCharts, type StudyCharts } from './study-charts.ts';
import { type Picture, type StudyAbout, studyMarkdown } from './study-markdown.ts';
import { studyTables } from './tables/study-tables.ts';

type Target = {
  /** The Markdown file to write. */
  readonly page: string;
  /** The folder of its pictures. */
  readonly images: string;
};

/**
 * Writes a study as a page of the documentation, with its charts as SVG.
 *
 * @returns the files
 * @throws StudyNotFound, ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function writeStudyPage(
  store: Store,
  study: string,
  { page, images }: Target,
  about: StudyAbout,
): Promise<string[]> {
  const analysis = await loadStudy(store, study, await finishedCells(store, study), []);
  const css = await styleSheet('base.css', 'charts/charts.css');
  const files: string[] = [];
  const pictures: Picture[] = [];
  for (const { section, title, name, draw } of charts(studyCharts(analysis))) {
    const path = join(images, `${study}-${name}.svg`);
    await writeAtomically(path, [Buffer.from(`${standaloneSvg(await draw(880), css)}\n`)]);
    files.push(path);
    pictures.push({ section, title, address: relative(dirname(page), path) });
  }
  const markdown = studyMarkdown(analysis, studyTables(analysis), pictures, about);
  await writeAtomically(page, [Buffer.from(markdown)]);
  return [page, ...files];
}

function charts({ columns, transfer }: StudyCharts) {
  return [
    ...columns.flatMap(({ column, accuracy, diversity, flips, cost }) => [
      chart('accuracy', `Accuracy over iterations, ${column}`, `${column}-accuracy`, accuracy),
      ...diversity.map(({ measure, draw }) =>
        chart('diversity', `Diversity over iterations, ${column}`, `${column}-${measure}`, draw),
      ),
      ...(flips === null ? [] : [chart('flips', `Flips, ${column}`, `${column}-flips`, flips)]),
      ...(cost === null ? [] : [chart('cost', `Cost against accuracy, ${column}`, `${column}-cost`, cost)]),
    ]),
    ...(transfer === null ? [] : [chart('transfer', 'Transfer to other tasks', 'transfer', transfer)]),
  ];
}

function chart(section: Picture['section'], title: string, name: string, draw: Draw) {
  return { section, title, name, draw };
}
