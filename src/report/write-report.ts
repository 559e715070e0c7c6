import { renderToString } from 'preact-render-to-string';
import { z } from 'zod';
import { writeBytes } from '../store/blobs.ts';
import type { ExperimentFiles } from '../store/store.ts';
import { writeDebateBrowser } from './debate-browser/write-debate-browser.ts';
import { loadReportData } from './report-data.ts';
import { pageParts } from './page-parts.ts';
import { reportPage } from './report-page.tsx';

/**
 * Writes an experiment's report.html anew and returns its path: one file with all it needs, no script and no link to the network. Beside
 * it debates.html, with all held-out debates.
 *
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged or ArtifactMissing when a file is; DiskFull,
 *   StoreNotWritable
 */
export async function writeReport(files: ExperimentFiles): Promise<string> {
  const data = await loadReportData(files);
  await writeDebateBrowser(files, {
    name: data.result.name,
    evaluations: data.result.evaluations,
    summarize: summarizes(data.config),
  });
  const points = data.result.evaluations.map((evaluation) => ({
    ...evaluation,
    label: evaluation.iteration === 0 ? 'base' : String(evaluation.iteration),
    onLine: true,
  }));
  const page = reportPage(data, await pageParts(points, 'iteration'));
  await writeBytes(files.report, `<!doctype html>\n${renderToString(page)}`);
  return files.report.where;
}

/** Only what is said of the debates depends on it, so that an old or absent config.json does not matter. */
function summarizes(config: unknown): boolean {
  return z.object({ summarize: z.boolean() }).safeParse(config).data?.summarize ?? false;
}
