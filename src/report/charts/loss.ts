import type { ExperimentResult } from '../../store/records/result.ts';
import { draw, methodStyles, widthOf } from './style.ts';

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
