import { renderToString } from 'preact-render-to-string';
import { writeAtomically } from '../store/files/atomic.ts';
import { type NightEntry, seriesFiles } from '../store/series.ts';
import type { Store } from '../store/store.ts';
import type { ChartPoint } from './accuracy-chart.ts';
import { pageParts } from './page-parts.ts';
import { seriesPage } from './series-page.tsx';

/**
 * Writes a series' report.html anew and returns its path: one file, without script or network, that links to each night's own.
 *
 * @param nights the series' ledger
 * @throws DiskFull, StoreNotWritable
 */
export async function writeSeriesReport(
  store: Store,
  series: string,
  nights: readonly NightEntry[],
): Promise<string> {
  const page = seriesPage(series, nights, await pageParts(pointsOf(nights), 'night'));
  const path = seriesFiles(store, series).report;
  await writeAtomically(path, [Buffer.from(`<!doctype html>\n${renderToString(page)}`)]);
  return path;
}

/** The base model as the first night found it, then the end of each night. */
function pointsOf(nights: readonly NightEntry[]): ChartPoint[] {
  const base = nights[0]?.evaluations[0];
  return [
    ...(base === undefined ? [] : [{ ...base, label: 'base', onLine: true }]),
    ...nights.flatMap(({ sequence, evaluations, outcome }) => {
      const end = evaluations.at(-1);
      return end === undefined ? [] : [{ ...end, label: String(sequence), onLine: outcome === 'accepted' }];
    }),
  ];
}
