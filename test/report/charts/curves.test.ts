import { describe, expect, it } from 'vitest';
import {
  accuracyChart,
  accuracyOverIterations,
  type ChartPoint,
  lossChart,
  lossCurves,
} from '../../../src/report/charts/curves.ts';
import type { ExperimentResult } from '../../../src/store/records/result.ts';

const point = (label: string, accuracy: number, onLine: boolean): ChartPoint => {
  const value = { accuracy, standardError: 0.02 };
  return { label, onLine, questions: 500, single: value, majority: value, debate: value };
};
const labelsIn = (svg: string) =>
  [...svg.matchAll(/<text([^>]*)>([^<]*)<\/text>/g)]
    .filter(([, attributes]) => !attributes?.includes('opacity="0"'))
    .map(([, , text]) => text);

it('a chart keeps the points in their order, those beside the line too', async () => {
  const points = [
    point('base', 0.5, true),
    point('1', 0.3, false),
    point('2', 0.6, true),
    point('3', 0.7, true),
  ];
  const svg = await accuracyChart(points, 'night', 880);
  expect(labelsIn(svg).slice(0, 4)).toEqual(['base', '1', '2', '3']);
  expect(svg.match(/fill="var\(--card\)"/g)).toHaveLength(3);
  // A line for each method, through three points.
  expect(svg.match(/d="M[^"L]+L[^"L]+L[^"L]+"/g)).toHaveLength(3);
});

it('a chart of a hundred nights leaves out labels rather than print one over the other', async () => {
  const points = Array.from({ length: 100 }, (_, night) => point(String(night + 1), 0.5, true));
  const shown = labelsIn(await accuracyChart(points, 'night', 340)).filter((text) =>
    /^\d+$/.test(text ?? ''),
  );
  expect(shown.length).toBeLessThan(60);
});

it('the names of twenty rows of a study stand beside the plot, one below the other and none cut off', async () => {
  const rows = Array.from({ length: 20 }, (_, row) => ({
    method: `row-${row}`,
    points: [0, 1].map((iteration) => ({ iteration, value: 0.9 + row / 1000, interval: null })),
  }));
  const svg = await accuracyOverIterations(rows, 880);
  const height = Number(/viewBox="0 0 \d+ ([\d.]+)"/.exec(svg)?.[1]);
  // Each text stands in groups that are moved one within the other.
  const places = [...svg.matchAll(/<text[^>]*translate\([\d.-]+,\s*([\d.-]+)\)[^>]*>row-\d+<\/text>/g)]
    .map(([, y]) => Number(y))
    .toSorted((a, b) => a - b);
  expect(places).toHaveLength(20);
  const gaps = places.slice(1).map((y, index) => y - (places[index] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(14.9);
  expect(places[0]).toBeGreaterThanOrEqual(0);
  expect(places.at(-1)).toBeLessThan(height);
});

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
