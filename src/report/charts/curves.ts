/** The curves of a report: accuracies and other measures over iterations, and losses over optimiser steps. */
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { accuracyInterval } from '../../algorithm/measures/answers.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { type Level, type Line, lineChart } from './line.ts';
import { draw, methodStyles, percentAxis, widthOf } from './style.ts';

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

type Iteration = ExperimentResult['iterations'][number];

/** The losses of one model over all of its fine-tunes. */
export type LossCurve = {
  /** E.g. `agent 1`. */
  readonly name: string;
  readonly points: readonly LossPoint[];
};
type LossPoint = {
  /** Of its iteration. */
  readonly iteration: number;
  /** Optimiser steps since the experiment began, as the axis shows them. */
  readonly step: number;
  readonly loss: number;
};

/** Where an iteration begins on the axis: at the steps that the longest fine-tunes of the earlier ones had together. */
export type IterationStart = { readonly iteration: number; readonly step: number };

/** The loss curves of the models of a role, one behind the other by iteration; none where no loss is known. */
export function lossCurves(
  iterations: readonly Iteration[],
  role: string,
): { readonly curves: readonly LossCurve[]; readonly starts: readonly IterationStart[] } {
  const starts: IterationStart[] = [];
  const points = new Map<number, LossPoint[]>();
  let before = 0;
  for (const { iteration, fineTunes } of iterations) {
    starts.push({ iteration, step: before });
    const ofRole = fineTunes.filter((each) => each.role === role);
    for (const { agent, losses } of ofRole) {
      const own = points.get(agent) ?? [];
      points.set(agent, own);
      for (const { step, loss } of losses) own.push({ iteration, step: before + step, loss });
    }
    before += Math.max(0, ...ofRole.map(({ steps }) => steps));
  }
  const curves = [...points]
    .filter(([, own]) => own.length > 0)
    .map(([agent, own]) => ({ name: `agent ${agent}`, points: own }));
  return { curves, starts };
}

/**
 * Loss curves as SVG. A line is broken where a fine-tune ends; a dotted rule stands where an iteration begins.
 *
 * @param width in CSS pixels, of the whole picture
 */
export async function lossChart(
  { curves, starts }: ReturnType<typeof lossCurves>,
  width: number,
): Promise<string> {
  const names = curves.map(({ name }) => name);
  const padding = { left: 44, right: 58 + widthOf(names), top: 32, bottom: 48 };
  const styles = methodStyles(names);
  const values = curves.flatMap(({ name, points }) => points.map((point) => ({ name, ...point })));
  const x = { field: 'step', type: 'quantitative', axis: { title: 'optimiser step', grid: false } } as const;
  return draw({
    width: width - padding.left - padding.right,
    // The legend has a line for each agent.
    height: Math.max(180, 15 * names.length),
    padding,
    data: { values },
    encoding: {},
    layer: [
      {
        data: { values: starts.slice(1).map(({ step }) => ({ step })) },
        mark: { type: 'rule', strokeDash: [2, 3], color: 'var(--muted)' },
        encoding: { x },
      },
      {
        mark: { type: 'line', strokeWidth: 1.75 },
        encoding: {
          x,
          y: { field: 'loss', type: 'quantitative', axis: { title: 'loss, nats a token', tickCount: 5 } },
          color: {
            field: 'name',
            type: 'nominal',
            scale: { domain: names, range: styles.map(({ colour }) => colour) },
            legend: { orient: 'right', offset: 12 },
          },
          detail: { field: 'iteration', type: 'nominal' },
        },
      },
    ],
  });
}
