import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { isThere, type Place } from '../store/blobs.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { writeDocument } from '../store/files/documents.ts';
import type { ExperimentResult } from '../store/records/result.ts';
import type { NightEntry } from '../store/series.ts';
import {
  type ExperimentFiles,
  experimentFiles,
  seriesFiles,
  type Store,
  studyFiles,
} from '../store/store.ts';
import { analyseStudy, resultsDocument, type StudyAnalysis } from './analyse/study.ts';
import { accuracyChart, lossChart, lossCurves } from './charts/curves.ts';
import { type Drawn, drawTwice } from './charts/style.ts';
import { writeDebateBrowser } from './debate-browser/write.ts';
import {
  type ExperimentCharts,
  experimentPage,
  seriesPage,
  seriesPoints,
} from './pages/experiment-pages.tsx';
import type { LossCharts } from './pages/training-sections.tsx';
import { drawnCharts, standaloneSvg, studyCharts } from './pages/study-charts.ts';
import { type Picture, type StudyAbout, studyMarkdown } from './pages/study-markdown.ts';
import { type ExperimentPages, studyPage } from './pages/study-page.tsx';
import { styleSheet, writePage } from './parts/page.tsx';
import { loadReportData, type ReportData } from './read/experiment.ts';
import type { FinishedExperiment } from './read/measured-experiment.ts';
import { type Failure, finishedExperiments, measureStudy } from './read/study.ts';
import { studyTables } from './tables/study-tables.ts';
import { writeTable } from './tables/table.ts';

/**
 * Writes an experiment's report.html, one file without scripts or links to the network, and debates.html with all debates.
 * Replaces what is there.
 *
 * @returns the path of report.html
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged, ArtifactMissing; DiskFull, StoreNotWritable
 */
export async function writeReport(files: ExperimentFiles): Promise<string> {
  const data = await loadReportData(files);
  const { name, evaluations, iterations } = data.result;
  const trained = iterations.map(({ iteration, consensus: { questions } }) => ({ iteration, questions }));
  await writeDebateBrowser(files, { name, evaluations, trained, summarize: summarizes(data.config) });
  const css = styleSheet('pages/base.css', 'pages/report.css');
  await writePage(files.report, experimentPage(data, { css, ...(await experimentCharts(data)) }));
  return files.report.where;
}

/** The charts of an experiment's page. */
export async function experimentCharts({
  result: { evaluations, guard, iterations },
}: ReportData): Promise<ExperimentCharts> {
  const chart = await accuracyChartOf(evaluations, guard?.rolledBack);
  return { chart, losses: await lossCharts(iterations) };
}

/** The accuracy over the iterations so far. @param aside those that a guard has rolled back */
export async function accuracyChartOf(
  evaluations: readonly Evaluation[],
  aside: readonly number[] = [],
): Promise<Drawn> {
  const points = evaluations.map((evaluation) => ({
    ...evaluation,
    label: evaluation.iteration === 0 ? 'base' : String(evaluation.iteration),
    onLine: !aside.includes(evaluation.iteration),
  }));
  return drawTwice((width) => accuracyChart(points, 'iteration', width));
}

/** False where config.json is missing or of an old version: the debates are then shown without the word "summary". */
function summarizes(config: unknown): boolean {
  return z.object({ summarize: z.boolean() }).safeParse(config).data?.summarize ?? false;
}

/**
 * Writes a series' report.html, one file without scripts or links to the network; it links to the report of each night. Replaces what is
 * there.
 *
 * @param nights the series' ledger
 * @returns its path
 * @throws DiskFull, StoreNotWritable
 */
export async function writeSeriesReport(
  store: Store,
  series: string,
  nights: readonly NightEntry[],
): Promise<string> {
  const { report } = seriesFiles(store, series);
  const css = styleSheet('pages/base.css', 'pages/report.css');
  await writePage(report, seriesPage(series, nights, { css, chart: await seriesChart(nights) }));
  return report.where;
}

/** The chart of a series' page. */
export async function seriesChart(nights: readonly NightEntry[]): Promise<Drawn> {
  const points = seriesPoints(nights);
  return drawTwice((width) => accuracyChart(points, 'night', width));
}

/** One for each role that was trained. */
async function lossCharts(iterations: ExperimentResult['iterations']): Promise<LossCharts[]> {
  const roles = new Set(iterations.flatMap(({ fineTunes }) => fineTunes.map(({ role }) => role)));
  const all = [...roles].map((role) => ({ role, losses: lossCurves(iterations, role) }));
  const trained = all.filter(({ losses }) => losses.curves.length > 0);
  return Promise.all(
    trained.map(async ({ role, losses }) => {
      return { role, drawn: await drawTwice((width) => lossChart(losses, width)) };
    }),
  );
}

/**
 * Writes what a study has found so far: report.html, one file without scripts or links to the network; results.json with every figure; and
 * each table as CSV, JSON, Markdown and LaTeX. Experiments whose outcomes are damaged or missing are listed as missing.
 *
 * @param failed why experiments failed, where that is known
 * @returns the files
 * @throws DiskFull, StoreNotWritable
 */
export async function writeStudyReport(
  store: Store,
  study: string,
  finished: readonly FinishedExperiment[],
  failed: readonly Failure[] = [],
): Promise<Place[]> {
  const files = studyFiles(store, study);
  const analysis = await analyseStudy(await measureStudy(store, study, finished, failed));
  const tables = studyTables(analysis);
  await writeDocument(files.results, resultsDocument(analysis));
  const written = [files.report, files.results];
  for (const table of Object.values(tables).flat()) written.push(...(await writeTable(table, files.table)));
  const page = studyPage(analysis, {
    css: styleSheet('pages/base.css', 'pages/report.css'),
    tables,
    charts: await drawnCharts(studyCharts(analysis)),
    pages: await pagesOf(store, files.folder, analysis),
  });
  await writePage(files.report, page);
  return written;
}

async function pagesOf(store: Store, folder: Place, { settings }: StudyAnalysis): Promise<ExperimentPages> {
  const address = async (page: Place): Promise<string | null> =>
    (await isThere(page))
      ? relative(folder.name, page.name).split('/').map(encodeURIComponent).join('/')
      : null;
  const experiments = settings.flatMap((setting) => setting.experiments);
  const pages = experiments.map(async ({ name }) => {
    const own = experimentFiles(store, name);
    const addresses = { report: await address(own.report), debates: await address(own.debateBrowser) };
    return [name, addresses] as const;
  });
  return new Map(await Promise.all(pages));
}

type StudyPageTarget = {
  /** The Markdown file to write. */
  readonly page: string;
  /** The folder of its pictures. */
  readonly images: string;
};

/**
 * Writes a study as a page of the documentation, with its charts as SVG files.
 *
 * @returns the files
 * @throws StudyNotFound, ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function writeStudyPage(
  store: Store,
  study: string,
  { page, images }: StudyPageTarget,
  about: StudyAbout,
): Promise<string[]> {
  const finished = await finishedExperiments(store, study);
  const analysis = await analyseStudy(await measureStudy(store, study, finished, []));
  const css = styleSheet('pages/base.css');
  const files: string[] = [];
  const pictures: Picture[] = [];
  for (const { section, setting, name, title, draw } of studyCharts(analysis)) {
    const path = join(images, `${study}-${name}.svg`);
    await writeAtomically(path, [Buffer.from(`${standaloneSvg(await draw(880), css)}\n`)]);
    files.push(path);
    const address = relative(dirname(page), path);
    pictures.push({ section, title: setting === null ? title : `${title}, ${setting}`, address });
  }
  const markdown = studyMarkdown(analysis, studyTables(analysis), pictures, about);
  await writeAtomically(page, [Buffer.from(markdown)]);
  return [page, ...files];
}
