import { paretoFront } from '../analyse/gains.ts';
import { type ChartSpec, draw, methodStyles, percentAxis, type WrittenName, writtenNames } from './style.ts';

export type PricedMethod = {
  readonly method: string;
  /** All that were read, written and trained on; above 0. */
  readonly tokens: number;
  /** Shares in 0..1. */
  readonly accuracy: number;
  readonly interval: { readonly low: number; readonly high: number } | null;
};

/**
 * Accuracy over tokens on a logarithmic axis, as SVG. A line joins the methods on the Pareto front: no other is more accurate for fewer
 * tokens. The others are hollow.
 *
 * @param width in CSS pixels, of the whole picture
 */
export async function paretoChart(methods: readonly PricedMethod[], width: number): Promise<string> {
  const styles = methodStyles(methods.map(({ method }) => method));
  const all = methods.flatMap((each, index) => {
    const style = styles[index];
    return style !== undefined && each.tokens > 0 && isFinite(each.tokens) && isFinite(each.accuracy)
      ? [{ ...each, style }]
      : [];
  });
  const front = paretoFront(all);
  const padding = { left: 44, right: 14, top: 32, bottom: 48 };
  const plot = {
    width: width - padding.left - padding.right,
    height: Math.round(Math.min(340, Math.max(240, width * 0.5))) - 80,
  };
  const x = logDomain(all.map(({ tokens }) => tokens));
  const y = percentAxis(
    'right answers, %',
    all.flatMap(({ accuracy, interval }) =>
      [accuracy, interval?.low ?? accuracy, interval?.high ?? accuracy].map((share) => share * 100),
    ),
  );
  const [low, high] = y.domain;
  const marks = all.map(({ method, tokens, accuracy }) => ({
    name: method,
    x: (plot.width * Math.log(tokens / x[0])) / Math.log(x[1] / x[0]),
    y: plot.height * (1 - (accuracy * 100 - low) / (high - low)),
  }));
  const places = placeNames(marks, plot);
  const xAxis = {
    field: 'tokens',
    type: 'quantitative',
    scale: { type: 'log', domain: x, nice: false },
    axis: {
      title: 'tokens, logarithmic',
      format: '~s',
      grid: false,
      labelPadding: 8,
      labelOverlap: true,
      tickCount: 6,
    },
  } as const;
  const domain: number[] = [...y.domain];
  const yAxis = {
    field: 'accuracy',
    type: 'quantitative',
    scale: { domain, nice: false, zero: false },
    axis: { title: y.title, tickCount: 6 },
  } as const;
  const names = all.map(({ method }) => method);
  const name = { field: 'method', type: 'nominal', legend: null } as const;
  const colour = { ...name, scale: { domain: names, range: all.map(({ style }) => style.colour) } };
  const rows = all.map(({ method, tokens, accuracy, interval }) => ({
    method,
    tokens,
    accuracy: accuracy * 100,
    low: interval === null ? null : interval.low * 100,
    high: interval === null ? null : interval.high * 100,
    onFront: front.some((each) => each.method === method),
  }));
  return draw({
    ...plot,
    padding,
    data: { values: rows },
    layer: [
      {
        mark: {
          type: 'line',
          stroke: 'var(--muted)',
          strokeWidth: 1.5,
          strokeDash: [4, 3],
          interpolate: 'step-after',
        },
        transform: [{ filter: 'datum.onFront' }],
        encoding: { x: xAxis, y: yAxis },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.5 },
        transform: [{ filter: 'isValid(datum.low)' }],
        encoding: {
          x: xAxis,
          y: { field: 'low', type: 'quantitative' },
          y2: { field: 'high' },
          color: colour,
        },
      },
      {
        mark: { type: 'point', size: 70, opacity: 1 },
        encoding: {
          x: xAxis,
          y: yAxis,
          color: colour,
          shape: { ...name, scale: { domain: names, range: all.map(({ style }) => style.shape) } },
          fill: { ...colour, condition: { test: '!datum.onFront', value: 'var(--card)' } },
        },
      },
      ...leaders(all.map(({ style }, index) => ({ from: marks[index], to: places[index], style }))),
      ...writtenNames(
        places.map((place, index) => ({ ...place, colour: all[index]?.style.colour ?? 'var(--ink)' })),
      ),
    ],
  });
}

/** Lines from marks to names that are not beside them. */
function leaders(
  names: readonly {
    readonly from: NamedMark | undefined;
    readonly to: NamePlace | undefined;
    readonly style: { readonly colour: string };
  }[],
): ChartSpec['layer'] {
  return names.flatMap(({ from, to, style }) =>
    from === undefined || to === undefined || Math.abs(to.y - from.y) <= 35
      ? []
      : [
          {
            data: { values: [{}] },
            mark: { type: 'rule' as const, strokeWidth: 1, opacity: 0.6 },
            encoding: {
              x: { value: from.x },
              x2: { value: to.x },
              y: { value: from.y },
              y2: { value: to.y },
              color: { value: style.colour },
            },
          },
        ],
  );
}

/** With room for names, and never empty. */
function logDomain(tokens: readonly number[]): [number, number] {
  const least = Math.min(...tokens, Number.POSITIVE_INFINITY);
  const most = Math.max(...tokens, 0);
  if (most === 0) return [1, 10];
  const room = Math.max(1.5, (most / least) ** 0.1);
  return [least / room, most * room];
}

/** A mark in a plot, in pixels from its upper left corner. */
export type NamedMark = { readonly name: string; readonly x: number; readonly y: number };
export type NamePlace = Omit<WrittenName, 'colour'>;

/**
 * Where to write the names of marks. Candidates are above right of a mark, where the front does not run, then left, straight above, below,
 * and ever further up and down; the first one in the plot that covers no mark and no earlier name is taken, or else the place right of the mark.
 */
export function placeNames(
  marks: readonly NamedMark[],
  plot: { readonly width: number; readonly height: number },
): NamePlace[] {
  const taken: Box[] = marks.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  return marks.map(({ name, x, y }) => {
    const further = Array.from({ length: Math.ceil(plot.height / 14) }, (_, index) => 42 + 14 * index);
    const ups = [-14, 14, 0, -28, 28, ...further.flatMap((up) => [-up, up])];
    const candidates: NamePlace[] = ups.flatMap((up): NamePlace[] => [
      { name, x: x + 11, y: y + up, align: 'left' },
      { name, x: x - 11, y: y + up, align: 'right' },
      ...(up === 0 ? [] : [{ name, x, y: y + 1.2 * up, align: 'center' as const }]),
    ]);
    const free = candidates.find((place) => {
      const box = boxOf(place);
      const inside = box.left >= 0 && box.right <= plot.width && box.top >= -8 && box.bottom <= plot.height;
      return inside && taken.every((other) => apart(box, other));
    });
    const place: NamePlace = free ?? { name, x: x + 11, y, align: 'left' };
    taken.push(boxOf(place));
    return place;
  });
}

type Box = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };

function boxOf({ name, x, y, align }: NamePlace): Box {
  const width = 7 * name.length;
  const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
  return { left, right: left + width, top: y - 7, bottom: y + 7 };
}

function apart(a: Box, b: Box): boolean {
  return a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
}
