import { describe, expect, it } from 'vitest';
import { median } from '../../bench/statistics.ts';
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
});
