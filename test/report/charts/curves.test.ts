import { expect, it } from 'vitest';
import { accuracyChart, type ChartPoint } from '../../../src/report/charts/curves.ts';

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
