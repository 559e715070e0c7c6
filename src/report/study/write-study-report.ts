import { relative } from 'node:path';
import { renderToString } from 'preact-render-to-string';
import { isThere, type Place, writeBytes } from '../../store/blobs.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { experimentFiles, type Store, studyFiles } from '../../store/store.ts';
import { styleSheet } from '../style-sheet.ts';
import { writeTable } from '../tables/write-table.ts';
import type { StudyAnalysis } from './analyse-study.ts';
import { drawnCharts } from './drawn-charts.ts';
import type { FinishedCell } from './finished-cell.ts';
import { loadStudy } from './load-study.ts';
import { studyCharts } from './study-charts.ts';
import { type Pages, studyPage } from './study-page.tsx';
import { studyTables } from './tables/study-tables.ts';

/**
 * Writes what a study has found so far: report.html, one file without script or network; results.json with every figure; and each table as
 * CSV, JSON, Markdown and LaTeX. An experiment whose outcomes are damaged or gone is told as missing.
 *
 * @param failed why experiments failed, where that is known
 * @returns the files
 * @throws DiskFull, StoreNotWritable
 */
export async function writeStudyReport(
  store: Store,
  study: string,
  finished: readonly FinishedCell[],
  failed: readonly { readonly name: string; readonly reason: string }[] = [],
): Promise<Place[]> {
  const files = studyFiles(store, study);
  const analysis = await loadStudy(store, study, finished, failed);
  const tables = studyTables(analysis);
  await writeDocument(files.results, resultsOf(analysis));
  const written = [files.report, files.results];
  for (const table of Object.values(tables).flat()) written.push(...(await writeTable(table, files.table)));
  const page = studyPage(analysis, tables, {
    css: await styleSheet('base.css', 'report.css', 'charts/charts.css', 'study/study-page.css'),
    charts: await drawnCharts(studyCharts(analysis)),
    pages: await pagesOf(store, files.folder, analysis),
  });
  await writeBytes(files.report, `<!doctype html>\n${renderToString(page)}`);
  return written;
}

/** The analysis as JSON, without what each experiment's own files have. */
function resultsOf({ columns, ...analysis }: StudyAnalysis): object {
  return {
    formatVersion: 2,
    ...analysis,
    columns: columns.map(({ experiments, rows, ...column }) => ({
      ...column,
      experiments: experiments.map(({ name, method, seed }) => ({ name, method, seed })),
      rows: rows.map(({ own, ...row }) => {
        if (own === null) return { ...row, own };
        const { config: _, ...measured } = own;
        return { ...row, own: measured };
      }),
    })),
  };
}

async function pagesOf(store: Store, folder: Place, { columns }: StudyAnalysis): Promise<Pages> {
  const address = async (page: Place): Promise<string | null> =>
    (await isThere(page))
      ? relative(folder.name, page.name).split('/').map(encodeURIComponent).join('/')
      : null;
  const experiments = columns.flatMap((column) => column.experiments);
  return new Map(
    await Promise.all(
      experiments.map(async ({ name }) => {
        const own = experimentFiles(store, name);
        const pages = {
          report: await address(own.report),
          debates: await address(own.debateBrowser),
        };
        return [name, pages] as const;
      }),
    ),
  );
}
