import { draw } from './draw.ts';
import { methodStyles } from './method-style.ts';
import { paretoFront } from './pareto-front.ts';
import { percentAxis } from './percent-axis.ts';
import { placeNames } from './place-names.ts';
import { writtenNames } from './written-names.ts';

export type PricedMethod = {
  readonly method: string;
  /** Above 0: all that were read, written and trained on. */
  readonly tokens: number;
  /** Shares in 0..1. */
  readonly accuracy: number;
  readonly interval: { readonly low: number; readonly high: number } | null;
};

/**
 * What methods got for their tokens, as SVG: accuracy over tokens on a logarithmic axis. Methods than which none is better for less are joined
 * by the front; the others are hollow.
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
  const places = placeNames(
    all.map(({ method, tokens, accuracy }) => ({
      name: method,
      x: (plot.width * Math.log(tokens / x[0])) / Math.log(x[1] / x[0]),
      y: plot.height * (1 - (accuracy * 100 - low) / (high - low)),
    })),
    plot,
  );
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
      ...writtenNames(
        places.map((place, index) => ({ ...place, colour: all[index]?.style.colour ?? 'var(--ink)' })),
      ),
    ],
  });
}

/** With room for names, and never of no width. */
function logDomain(tokens: readonly number[]): [number, number] {
  const least = Math.min(...tokens, Number.POSITIVE_INFINITY);
  const most = Math.max(...tokens, 0);
  if (most === 0) return [1, 10];
  const room = Math.max(1.5, (most / least) ** 0.1);
  return [least / room, most * room];
}
