import { points } from '../../text/figures.ts';
import { draw, widthOf } from './style.ts';

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
