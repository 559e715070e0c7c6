import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { renderToString } from 'preact-render-to-string';
import { writeAtomically } from '../../store/files/atomic.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { experimentFiles, type Store, studyFiles } from '../../store/store.ts';
import { debateBrowserFile } from '../debate-browser/debate-browser-file.ts';
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
 * @returns the files, absolute
 * @throws DiskFull, StoreNotWritable
 */
export async function writeStudyReport(
  store: Store,
  study: string,
  finished: readonly FinishedCell[],
  failed: readonly { readonly name: string; readonly reason: string }[] = [],
): Promise<string[]> {
  const files = studyFiles(store, study);
  const analysis = await loadStudy(store, study, finished, failed);
  const tables = studyTables(analysis);
  await writeDocument(files.results, resultsOf(analysis));
  const names = [];
  for (const table of Object.values(tables).flat()) names.push(...(await writeTable(files.folder, table)));
  const page = studyPage(analysis, tables, {
    css: await styleSheet('base.css', 'report.css', 'charts/charts.css', 'study/study-page.css'),
    charts: await drawnCharts(studyCharts(analysis)),
    pages: await pagesOf(store, files.folder, analysis),
  });
  await writeAtomically(files.report, [Buffer.from(`<!doctype html>\n${renderToString(page)}`)]);
  return [files.report, files.results, ...names.map((name) => join(files.folder, name))];
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

async function pagesOf(store: Store, folder: string, { columns }: StudyAnalysis): Promise<Pages> {
  const address = async (path: string): Promise<string | null> => {
    const there = await stat(path).catch(() => null);
    return there === null ? null : relative(folder, path).split('/').map(encodeURIComponent).join('/');
  };
  const experiments = columns.flatMap((column) => column.experiments);
  return new Map(
    await Promise.all(
      experiments.map(async ({ name }) => {
        const own = experimentFiles(store, name);
        const pages = {
          report: await address(own.report),
          debates: await address(join(own.folder, debateBrowserFile)),
        };
        return [name, pages] as const;
      }),
    ),
  );
}
