import { describe, expect, it } from 'vitest';
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
});
