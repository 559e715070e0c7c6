import type { Evaluation } from '../algorithm/evaluation.ts';
import { lineChart } from './charts/line-chart.ts';
import { percentAxis } from './charts/percent-axis.ts';

/** An evaluation's place in a chart. */
export type ChartPoint = Pick<Evaluation, 'single' | 'majority' | 'debate'> & {
  /** Below the axis. */
  readonly label: string;
  /** Whether the lines go through it; otherwise it stands beside them, hollow. */
  readonly onLine: boolean;
};

/**
 * Accuracies of one experiment as an SVG: single answer, majority and debate, each with bars of one standard error. Colours are CSS variables
 * (--card, --ink, --muted, --rule, --single, --majority, --debate), so that the page's light and dark modes hold for it.
 *
 * @param axis what the points are, e.g. `iteration`
 * @param width in CSS pixels, of the whole picture
 */
export async function accuracyChart(
  points: readonly ChartPoint[],
  axis: string,
  width: number,
): Promise<string> {
  const lines = ways.map(({ key, name, shape }) => ({
    name,
    style: { colour: `var(--${key})`, shape, dash: [] },
    points: points.map(({ label, onLine, [key]: { accuracy, standardError } }) => ({
      x: label,
      y: accuracy * 100,
      interval: { low: (accuracy - standardError) * 100, high: (accuracy + standardError) * 100 },
      onLine,
    })),
  }));
  const ends = lines.flatMap((line) => line.points.flatMap(({ interval }) => [interval.low, interval.high]));
  return lineChart({
    lines,
    levels: [],
    x: { title: axis, labels: points.map(({ label }) => label) },
    y: percentAxis('right answers, %', ends),
    // The page has a legend of its own, which wraps on narrow screens.
    names: 'in the page',
    width,
  });
}

const ways = [
  { key: 'single', name: 'single answer', shape: 'circle' },
  { key: 'majority', name: 'majority vote', shape: 'square' },
  { key: 'debate', name: 'debate', shape: 'diamond' },
] as const;
