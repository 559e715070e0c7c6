/** How are answers drawn that were gained or lost: from round to round (flips), and on other tasks (transfer)? */
import { points } from '../../text/figures.ts';
import { draw, widthOf } from './style.ts';

/** How a method's answers changed from one round to the next: counts of answers. */
export type FlipsData = {
  readonly method: string;
  readonly keptRight: number;
  readonly wrongToRight: number;
  readonly rightToWrong: number;
  readonly keptWrong: number;
};

/**
 * Flips as SVG: for each method a bar of all its answers, stacked by whether they were right before and after.
 *
 * @param width in CSS pixels, of the whole picture
 */
export async function flipsChart(methods: readonly FlipsData[], width: number): Promise<string> {
  const padding = {
    left: 24 + widthOf(methods.map(({ method }) => method)),
    right: 14,
    top: 8,
    bottom: 48 + 14 + 18 * (width < 600 ? 2 : 1),
  };
  const plot = { width: width - padding.left - padding.right, height: 34 * methods.length };
  const rows = methods.flatMap((each) => {
    const all = kinds.reduce((sum, { key }) => sum + each[key], 0);
    let before = 0;
    return kinds.flatMap(({ key, label }) => {
      const share = all === 0 ? 0 : (100 * each[key]) / all;
      const from = before;
      before += share;
      const middle = from + share / 2;
      return all === 0 ? [] : [{ method: each.method, kind: label, key, share, from, to: before, middle }];
    });
  });
  const y = {
    field: 'method',
    type: 'nominal',
    sort: null,
    scale: { domain: methods.map(({ method }) => method), padding: 0.25 },
    axis: { title: null, labelColor: 'var(--ink)', labelPadding: 10, labelLimit: 0 },
  } as const;
  const domain: number[] = [0, 100];
  const x = {
    field: 'from',
    type: 'quantitative',
    scale: { domain },
    axis: { title: 'answers, %', labelPadding: 8, tickCount: 5 },
  } as const;
  // A number with its per cent sign takes about 30 pixels; narrower bars have none.
  const wide = (3_000 / plot.width).toFixed(2);
  return draw({
    ...plot,
    padding,
    data: { values: rows },
    encoding: { y },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          x,
          x2: { field: 'to' },
          color: {
            field: 'kind',
            type: 'nominal',
            sort: null,
            scale: { domain: kinds.map(({ label }) => label), range: kinds.map(({ colour }) => colour) },
            legend: {
              // At the picture's left edge and not the plot's: the names of methods may be long.
              orient: 'none',
              legendX: 10 - padding.left,
              legendY: plot.height + 50,
              direction: 'horizontal',
              columns: width < 600 ? 2 : 4,
              symbolType: 'square',
            },
          },
        },
      },
      ...kinds.map(({ key, ink }) => ({
        mark: { type: 'text' as const, fontSize: 11, fill: ink },
        transform: [{ filter: `datum.key === '${key}' && datum.share >= ${wide}` }],
        encoding: {
          x: { field: 'middle', type: 'quantitative' as const },
          text: { field: 'share', type: 'quantitative' as const, format: '.0f' },
        },
      })),
    ],
  });
}

const kinds = [
  { key: 'keptRight', label: 'stayed right', colour: 'var(--kept-right)', ink: 'var(--ink)' },
  { key: 'wrongToRight', label: 'wrong to right', colour: 'var(--gained)', ink: 'var(--on-strong)' },
  { key: 'rightToWrong', label: 'right to wrong', colour: 'var(--lost)', ink: 'var(--on-strong)' },
  { key: 'keptWrong', label: 'stayed wrong', colour: 'var(--kept-wrong)', ink: 'var(--ink)' },
] as const;

/** How agents that were trained on one task do on another. */
export type TransferData = {
  /** The task that they were trained on; `base` or the like for none. */
  readonly trained: string;
  readonly evaluated: string;
  /** A share in 0..1. */
  readonly accuracy: number;
  /** The difference from the untrained model's share on the same questions; null where there is none, as for that model itself. */
  readonly gain: number | null;
};

/**
 * A transfer matrix as SVG: a row for each task of training, a column for each task of evaluation, in the order of the data. A cell
 * has the accuracy in per cent and the gain in points; its colour shows the gain. What was not evaluated is a dash.
 *
 * @param width in CSS pixels, of the whole picture
 */
export async function transferChart(transfers: readonly TransferData[], width: number): Promise<string> {
  const trained = [...new Set(transfers.map((each) => each.trained))];
  const evaluated = [...new Set(transfers.map((each) => each.evaluated))];
  const padding = { left: 56 + widthOf(trained), right: 10, top: 54, bottom: 8 };
  const plot = { width: width - padding.left - padding.right, height: 52 * trained.length };
  // At most half opaque, so that the figures stay readable on it.
  const most = Math.max(0.01, ...transfers.map(({ gain }) => Math.abs(gain ?? 0)).filter(Number.isFinite));
  const rows = trained.flatMap((from) =>
    evaluated.map((on) => {
      const cell = transfers.find((each) => each.trained === from && each.evaluated === on);
      const known = cell !== undefined && Number.isFinite(cell.accuracy);
      const gain = known && cell.gain !== null && Number.isFinite(cell.gain) ? cell.gain : null;
      return {
        trained: from,
        evaluated: on,
        said: known ? (cell.accuracy * 100).toFixed(1) : '–',
        gained: gain === null ? '' : points(gain),
        colour: gain === null || gain === 0 ? 'none' : gain > 0 ? 'gained' : 'lost',
        strength: gain === null ? 1 : 0.08 + (0.42 * Math.abs(gain)) / most,
      };
    }),
  );
  const axis = {
    domain: false,
    labelColor: 'var(--ink)',
    labelLimit: 0,
    labelAngle: 0,
    titlePadding: 10,
  } as const;
  const strength: number[] = [0, 1];
  return draw({
    ...plot,
    padding,
    data: { values: rows },
    encoding: {
      x: {
        field: 'evaluated',
        type: 'nominal',
        sort: null,
        scale: { domain: evaluated, padding: 0.04 },
        axis: { ...axis, title: 'evaluated on', orient: 'top' },
      },
      y: {
        field: 'trained',
        type: 'nominal',
        sort: null,
        scale: { domain: trained, padding: 0.06 },
        axis: { ...axis, title: 'trained on' },
      },
    },
    layer: [
      {
        mark: { type: 'rect', cornerRadius: 4 },
        encoding: {
          color: {
            field: 'colour',
            type: 'nominal',
            scale: {
              domain: ['gained', 'lost', 'none'],
              range: ['var(--gained)', 'var(--lost)', 'var(--soft)'],
            },
            legend: null,
          },
          opacity: {
            field: 'strength',
            type: 'quantitative',
            scale: { domain: strength, range: strength },
            legend: null,
          },
        },
      },
      {
        mark: { type: 'text', dy: -7, fontWeight: 600 },
        transform: [{ filter: "datum.gained !== ''" }],
        encoding: { text: { field: 'said' } },
      },
      {
        mark: { type: 'text', fontWeight: 600 },
        transform: [{ filter: "datum.gained === ''" }],
        encoding: { text: { field: 'said' } },
      },
      { mark: { type: 'text', dy: 10, fontSize: 11 }, encoding: { text: { field: 'gained' } } },
    ],
  });
}
