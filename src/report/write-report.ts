import { join } from 'node:path';
import { renderToString } from 'preact-render-to-string';
import { z } from 'zod';
import { writeAtomically } from '../store/files/atomic.ts';
import { writeDebateBrowser } from './debate-browser/write-debate-browser.ts';
import { loadReportData } from './report-data.ts';
import { pageParts } from './page-parts.ts';
import { reportPage } from './report-page.tsx';

/**
 * Writes an experiment's report.html anew and returns its path: one file with all it needs, no script and no link to the network. Beside
 * it debates.html, with all held-out debates.
 *
 * @param folder of the experiment, with result.json, evaluation.jsonl, config.json and the shards of debates
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged or ArtifactMissing when a file is; DiskFull,
 *   StoreNotWritable
 */
export async function writeReport(folder: string): Promise<string> {
  const data = await loadReportData(folder);
  await writeDebateBrowser(folder, {
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
  const path = join(folder, data.result.files.report);
  await writeAtomically(path, [Buffer.from(`<!doctype html>\n${renderToString(page)}`)]);
  return path;
}

/** Only what is said of the debates depends on it, so that an old or absent config.json does not matter. */
function summarizes(config: unknown): boolean {
  return z.object({ summarize: z.boolean() }).safeParse(config).data?.summarize ?? false;
}
