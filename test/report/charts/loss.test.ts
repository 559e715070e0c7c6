import { describe, expect, it } from 'vitest';
import { lossChart, lossCurves } from '../../../src/report/charts/curves.ts';
import type { ExperimentResult } from '../../../src/store/records/result.ts';

type Iteration = ExperimentResult['iterations'][number];

/** An iteration as far as the curves look at it: by agent, the losses of its generation model. */
const iteration = (number: number, losses: readonly (readonly number[])[]) =>
  ({
    iteration: number,
    fineTunes: losses.map((own, index) => ({
      agent: index + 1,
      role: 'generation',
      steps: own.length,
      losses: own.map((loss, step) => ({ step: step + 1, loss })),
    })),
  }) as unknown as Iteration;

describe('the loss curves of the generation models', () => {
  const iterations = [iteration(1, [[0.9, 0.5, 0.4], [0.8]]), iteration(2, [[0.6], []])];

  it('go on in the next iteration behind the longest fine-tune of this one', () => {
    const { curves, starts } = lossCurves(iterations, 'generation');
    expect(starts).toEqual([
      { iteration: 1, step: 0 },
      { iteration: 2, step: 3 },
    ]);
    expect(curves.map(({ name, points }) => [name, points.map(({ step, loss }) => [step, loss])])).toEqual([
      [
        'agent 1',
        [
          [1, 0.9],
          [2, 0.5],
          [3, 0.4],
          [4, 0.6],
        ],
      ],
      ['agent 2', [[1, 0.8]]],
    ]);
  });

  it('are none for a role that was never trained, or of models that an older version trained', () => {
    expect(lossCurves(iterations, 'critic').curves).toEqual([]);
    expect(lossCurves([iteration(1, [[], []])], 'generation').curves).toEqual([]);
  });

  it('are drawn with every agent’s name', async () => {
    const svg = await lossChart(lossCurves(iterations, 'generation'), 880);
    expect(svg).toContain('>agent 1<');
    expect(svg).toContain('>agent 2<');
  });
});
