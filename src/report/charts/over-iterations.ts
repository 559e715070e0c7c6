import type { Evaluation } from '../../algorithm/evaluation.ts';
import { accuracyInterval } from '../../algorithm/measures/answers.ts';
import { type Level, type Line, lineChart } from './line.ts';
import { methodStyles, percentAxis } from './style.ts';

/** An evaluation in a chart. */
export type ChartPoint = Pick<Evaluation, 'single' | 'majority' | 'debate' | 'questions'> & {
  /** Below the axis. */
  readonly label: string;
  /** Whether the lines go through it; otherwise it is hollow, beside them. */
  readonly onLine: boolean;
};

/**
 * Accuracies of one experiment as an SVG: single answer, majority and debate, each with bars of its 95 % interval. Colours are CSS variables
 * (--card, --ink, --muted, --rule, --single, --majority, --debate), so that it follows the page's light and dark modes.
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
    points: points.map(({ label, onLine, questions, [key]: value }) => {
      const { low, high } = accuracyInterval(value, questions);
      return {
        x: label,
        y: value.accuracy * 100,
        interval: { low: low * 100, high: high * 100 },
        onLine,
      };
    }),
  }));
  const ends = lines.flatMap((line) => line.points.flatMap(({ interval }) => [interval.low, interval.high]));
  return lineChart({
    lines,
    levels: [],
    x: { title: axis, labels: points.map(({ label }) => label) },
    y: percentAxis('right answers, %', ends),
    // The page has its own legend, which wraps on narrow screens.
    names: 'in the page',
    width,
  });
}

const ways = [
  { key: 'single', name: 'single answer', shape: 'circle' },
  { key: 'majority', name: 'majority vote', shape: 'square' },
  { key: 'debate', name: 'debate', shape: 'diamond' },
] as const;

/** A method's values over its iterations. */
export type MethodOverIterations = {
  readonly method: string;
  /** Ascending; 0 is the base model. A method without training has one point. */
  readonly points: readonly MethodPoint[];
};
export type MethodPoint = {
  readonly iteration: number;
  readonly value: number;
  /** The ends of its interval; null where there is none. */
  readonly interval: { readonly low: number; readonly high: number } | null;
};

/**
 * Accuracies of several methods over iterations, as SVG. A method with only one value, because it trains nothing, is a level line.
 *
 * @param methods values are shares in 0..1
 * @param width in CSS pixels; names are beside the lines when it is 600 or more, and below otherwise
 */
export async function accuracyOverIterations(
  methods: readonly MethodOverIterations[],
  width: number,
): Promise<string> {
  const inPercent = methods.map(({ method, points }) => ({
    method,
    points: points.map(({ iteration, value, interval }) => ({
      iteration,
      value: value * 100,
      interval: interval === null ? null : { low: interval.low * 100, high: interval.high * 100 },
    })),
  }));
  return overIterations(inPercent, percentAxis('right answers, %', extremes(inPercent)), width);
}

/**
 * A metric of several methods over iterations, e.g. a measure of diversity, as SVG.
 *
 * @param title the metric's name with its unit
 */
export async function metricOverIterations(
  title: string,
  methods: readonly MethodOverIterations[],
  width: number,
): Promise<string> {
  return overIterations(methods, { title, domain: roomAround(extremes(methods)) }, width);
}

async function overIterations(
  methods: readonly MethodOverIterations[],
  y: { readonly title: string; readonly domain: readonly [number, number] },
  width: number,
): Promise<string> {
  const styles = methodStyles(methods.map(({ method }) => method));
  const iterations = new Set(methods.flatMap(({ points }) => points.map(({ iteration }) => iteration)));
  const lines: Line[] = [];
  const levels: Level[] = [];
  for (const [index, { method, points }] of methods.entries()) {
    const style = styles[index];
    const [first] = points;
    if (style === undefined || first === undefined) continue;
    if (points.length === 1 && iterations.size > 1) levels.push({ name: method, style, y: first.value });
    else
      lines.push({
        name: method,
        style,
        points: points.map(({ iteration, value, interval }) => ({
          x: labelOf(iteration),
          y: value,
          interval,
          onLine: true,
        })),
      });
  }
  const labels = [...iterations].toSorted((a, b) => a - b).map(labelOf);
  const names = width < 600 ? 'below' : 'beside';
  return lineChart({ lines, levels, x: { title: 'iteration', labels }, y, names, width });
}

function labelOf(iteration: number): string {
  return iteration === 0 ? 'base' : String(iteration);
}

function extremes(methods: readonly MethodOverIterations[]): number[] {
  return methods.flatMap(({ points }) =>
    points.flatMap(({ value, interval }) =>
      interval === null ? [value] : [value, interval.low, interval.high],
    ),
  );
}

/** The values' range with a twentieth more on either side; from zero when they are all positive and near it. */
function roomAround(values: readonly number[]): [number, number] {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  const room = (high - low || Math.abs(high) || 1) / 20;
  return [low >= 0 && low < (high - low) / 2 ? 0 : low - room, high + room];
}
