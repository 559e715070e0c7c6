/** Figures of a study that nobody has made, to try the charts with. */
import type { FlipsData, TransferData } from '../../../src/report/charts/gained-and-lost.ts';
import type { MethodOverIterations } from '../../../src/report/charts/curves.ts';
import type { PricedMethod } from '../../../src/report/charts/pareto.ts';

const around = (value: number) => ({ low: value - 0.02, high: value + 0.02 });
const line = (method: string, values: readonly number[]): MethodOverIterations => ({
  method,
  points: values.map((value, iteration) => ({ iteration, value, interval: around(value) })),
});

export const overIterations: readonly MethodOverIterations[] = [
  line('base', [0.34]),
  line('majority', [0.452]),
  line('debate', [0.481]),
  line('multiagent-ft', [0.481, 0.557, 0.594, 0.612, 0.621, 0.626]),
  line('majority-ft', [0.452, 0.512, 0.523, 0.518, 0.509, 0.502]),
  line('star', [0.452, 0.498, 0.508, 0.507, 0.501, 0.489]),
  line('no-critic', [0.481, 0.531, 0.552, 0.56, 0.558, 0.557]),
  line('single-agent', [0.34, 0.421, 0.446, 0.438, 0.431, 0.42]),
];

export const priced: readonly PricedMethod[] = [
  { method: 'base', tokens: 210_000, accuracy: 0.34, interval: around(0.34) },
  { method: 'majority', tokens: 640_000, accuracy: 0.452, interval: around(0.452) },
  { method: 'majority, 9 answers', tokens: 1_900_000, accuracy: 0.471, interval: around(0.471) },
  { method: 'debate', tokens: 2_000_000, accuracy: 0.481, interval: around(0.481) },
  { method: 'star', tokens: 11_000_000, accuracy: 0.508, interval: around(0.508) },
  { method: 'majority-ft', tokens: 12_500_000, accuracy: 0.523, interval: around(0.523) },
  { method: 'no-critic', tokens: 24_000_000, accuracy: 0.56, interval: around(0.56) },
  { method: 'multiagent-ft', tokens: 41_000_000, accuracy: 0.626, interval: around(0.626) },
];

export const flips: readonly FlipsData[] = [
  { method: 'debate', keptRight: 610, wrongToRight: 171, rightToWrong: 62, keptWrong: 657 },
  { method: 'multiagent-ft', keptRight: 840, wrongToRight: 204, rightToWrong: 31, keptWrong: 425 },
  { method: 'no-critic', keptRight: 790, wrongToRight: 120, rightToWrong: 80, keptWrong: 510 },
];

export const transfers: readonly TransferData[] = [
  { trained: 'none (base)', evaluated: 'arithmetic', accuracy: 0.52, gain: null },
  { trained: 'none (base)', evaluated: 'gsm8k', accuracy: 0.61, gain: null },
  { trained: 'none (base)', evaluated: 'math', accuracy: 0.34, gain: null },
  { trained: 'arithmetic', evaluated: 'arithmetic', accuracy: 0.93, gain: 0.41 },
  { trained: 'arithmetic', evaluated: 'gsm8k', accuracy: 0.6, gain: -0.01 },
  { trained: 'arithmetic', evaluated: 'math', accuracy: 0.3, gain: -0.04 },
  { trained: 'math', evaluated: 'arithmetic', accuracy: 0.6, gain: 0.08 },
  { trained: 'math', evaluated: 'math', accuracy: 0.52, gain: 0.18 },
];
