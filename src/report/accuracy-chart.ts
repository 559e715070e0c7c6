import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Evaluation } from '../algorithm/evaluation.ts';

/** An evaluation's place in a chart. */
export type ChartPoint = Pick<Evaluation, 'single' | 'majority' | 'debate'> & {
  /** Below the axis. */
  readonly label: string;
  /** Whether the lines go through it; otherwise it stands beside them, hollow. */
  readonly onLine: boolean;
};

/**
 * Accuracies as an SVG: single answer, majority and debate, each with bars of one standard error. Colours are CSS variables
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
  const { spec } = compile(chartSpec(points, axis, width));
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}

const methods = [
  { key: 'single', label: 'single answer', shape: 'circle' },
  { key: 'majority', label: 'majority vote', shape: 'square' },
  { key: 'debate', label: 'debate', shape: 'diamond' },
] as const;

function chartSpec(points: readonly ChartPoint[], axis: string, width: number): TopLevelSpec {
  const values = points.flatMap((point) =>
    methods.map(({ key, label }) => ({
      x: point.label,
      onLine: point.onLine,
      method: label,
      y: point[key].accuracy * 100,
      low: (point[key].accuracy - point[key].standardError) * 100,
      high: (point[key].accuracy + point[key].standardError) * 100,
    })),
  );
  const labels = methods.map(({ label }) => label);
  const color = {
    field: 'method',
    type: 'nominal',
    scale: { domain: labels, range: methods.map(({ key }) => `var(--${key})`) },
    // The page has a legend of its own, which wraps on narrow screens.
    legend: null,
  } as const;
  const shape = {
    field: 'method',
    type: 'nominal',
    scale: { domain: labels, range: methods.map((each) => each.shape) },
    legend: null,
  } as const;
  const x = {
    field: 'x',
    type: 'ordinal',
    sort: null,
    axis: {
      title: axis,
      labelAngle: 0,
      labelOverlap: true,
      grid: false,
      domain: false,
      ticks: false,
      labelPadding: 10,
    },
    // Said, as the line's layer leaves out points.
    scale: { type: 'point', padding: 0.35, domain: points.map(({ label }) => label) },
  } as const;
  // The three methods stand side by side at each point, or their error bars would hide each other.
  const aside = Math.min(9, width / points.length / 5);
  const offsets: number[] = [-aside, aside];
  const xOffset = { field: 'method', type: 'nominal', sort: labels, scale: { range: offsets } } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width,
    height: Math.round(Math.min(320, Math.max(230, width * 0.45))),
    autosize: { type: 'fit', contains: 'padding' },
    background: 'transparent',
    data: { values },
    encoding: { x, xOffset, color },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 2.25, interpolate: 'linear' },
        transform: [{ filter: 'datum.onLine' }],
        encoding: { y: yAxis(values) },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.5 },
        encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'point', opacity: 1, size: Math.min(70, aside * 9) },
        encoding: {
          y: yAxis(values),
          shape,
          fill: { ...color, condition: { test: '!datum.onLine', value: 'var(--card)' } },
        },
      },
    ],
    config: {
      font: 'inherit',
      view: { stroke: null },
      axis: {
        labelColor: 'var(--muted)',
        titleColor: 'var(--muted)',
        gridColor: 'var(--rule)',
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: 'normal',
      },
    },
  };
}

/** Whole tens around the values, not from zero: these are positions, not lengths, and the axis says where it begins. */
function yAxis(values: readonly { readonly low: number; readonly high: number }[]) {
  const low = Math.max(0, Math.floor((Math.min(...values.map((each) => each.low)) - 2) / 10) * 10);
  const high = Math.min(100, Math.ceil((Math.max(...values.map((each) => each.high)) + 2) / 10) * 10);
  const domain: number[] = [low, high];
  return {
    field: 'y',
    type: 'quantitative',
    scale: { domain, nice: false, zero: false },
    axis: { title: 'right answers, %', tickCount: 6, domain: false, ticks: false, titlePadding: 12 },
  } as const;
}
