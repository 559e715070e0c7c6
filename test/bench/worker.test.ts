import { describe, expect, it } from 'vitest';
import { debates, linesOf, tokensOf } from '../../bench/answering.ts';
import { median } from '../../bench/statistics.ts';
import { cpuMs } from '../../bench/processes.ts';
import { cpuBetween } from '../../bench/worker.ts';

describe('figures of the benchmarks', () => {
  it('take the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(() => median([])).toThrow('no values');
  });

  it('count the CPU between two moments, between two samples in proportion', () => {
    const samples = [
      { at: 1000, cpuMs: 10, rss: 0 },
      { at: 2000, cpuMs: 30, rss: 0 },
      { at: 3000, cpuMs: 130, rss: 0 },
    ];
    expect(cpuBetween(samples, 1500, 2500)).toBe(60);
    expect(cpuBetween(samples, 1000, 3000)).toBe(120);
    // Outside the samples nothing is known, so nothing is counted.
    expect(cpuBetween(samples, 0, 9000)).toBe(120);
  });

  it('read the CPU of a process whose name looks like more fields', () => {
    const stat = '17 (a (b) 9 9) S 1 17 17 0 -1 4194560 1 0 0 0 123 45 6 7 20 0 1 0 99 0 0';
    expect(cpuMs(stat)).toBe(1680);
  });

  it('compare both sides of each repeat, not their medians, and say how many tokens each has written', () => {
    const pairs = [
      { ours: answered(1, 30), other: answered(10, 31) },
      { ours: answered(2, 30), other: answered(10, 31) },
      { ours: answered(1, 30), other: answered(40, 31) },
    ];
    const [ours, , ratio] = linesOf(pairs, { ours: 'ours', other: 'theirs', ratio: 'times' });
    expect(ours).toEqual(['ours', '100.0', '50.0 to 100.0']);
    expect(ratio).toEqual(['times', '10.00', '5.00 to 40.00']);
    expect(tokensOf(pairs)).toEqual({ ours: '30.00', other: '31.00' });
  });

  it('are of questions that no other repeat has', () => {
    const asked = [0, 64, 128, 192].flatMap((from) => debates(64, from)[0].map(([first]) => first?.content));
    // Three agents are asked each question.
    expect(new Set(asked).size).toBe(asked.length / 3);
  });
});

/** 100 answers in so many seconds, each of so many tokens. */
function answered(seconds: number, tokens: number) {
  return { answers: 100, seconds, tokens: 100 * tokens };
}
