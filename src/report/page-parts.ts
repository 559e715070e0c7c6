import { accuracyChart, type ChartPoint } from './accuracy-chart.ts';
import { styleSheet } from './style-sheet.ts';

/** What is not written by hand in a report's page: its style sheet and its chart. */
export type PageParts = { readonly css: string; readonly wideChart: string; readonly narrowChart: string };

/** @param axis what the points are, e.g. `iteration` */
export async function pageParts(points: readonly ChartPoint[], axis: string): Promise<PageParts> {
  return {
    css: await styleSheet('base.css', 'report.css'),
    // Two drawings rather than one that shrinks: on a telephone its letters would be too small to read.
    wideChart: await accuracyChart(points, axis, 880),
    narrowChart: await accuracyChart(points, axis, 340),
  };
}
