import { describe, expect, it } from 'vitest';
import type { MethodName } from '../../../src/algorithm/methods.ts';
import { type Script } from '../scripted-study.ts';
import { analysed, debateRight, row } from './analysed-study.ts';

describe('whether gains last', () => {
  const curveOf = async (...right: number[]) => {
    const analysis = await analysed([{ method: 'multiagent-ft', iterations: right.map(debateRight) }]);
    return row(analysis, 'multiagent-ft').endurance;
  };

  it('is a course of gains only when the last iteration is better than every one before', async () => {
    expect(await curveOf(10, 20, 22, 34)).toMatchObject({
      verdict: 'went on gaining',
      sinceBest: { iteration: 2, wins: 12, losses: 0 },
    });
    // Up by 16 to iteration 2, and down by 9 after it: p = 2 / 2^9, twice as the best was picked from two.
    const fallen = await curveOf(10, 20, 36, 27);
    expect(fallen).toMatchObject({ verdict: 'fell from its best', best: 2 });
    expect(fallen!.sinceBest!.adjusted).toBeCloseTo((2 * 2) / 2 ** 9, 12);
  });

  it('is corrected for the number of methods', async () => {
    const six = (method: MethodName): Script => ({ method, iterations: [10, 20, 26].map(debateRight) });
    // 6 : 0 has p = 0.031 alone, and 0.0625 as one of two.
    const verdicts = async (...methods: MethodName[]) =>
      (await analysed(methods.map(six))).settings[0]!.contenders.flatMap(
        ({ endurance }) => endurance?.verdict ?? [],
      );
    expect(await verdicts('multiagent-ft')).toEqual(['went on gaining']);
    expect(await verdicts('multiagent-ft', 'single-agent')).toEqual(['neither', 'neither']);
  });

  it('is judged by the last iteration against the first, on the same questions', async () => {
    const found = await curveOf(10, 20, 32, 30);
    // 10 : 0 against the first; 0 : 2 against the best, which is not shown.
    expect(found).toMatchObject({ best: 2, verdict: 'gained early', sinceBest: { iteration: 2, losses: 2 } });
    expect(found!.change!.difference).toBeCloseTo(10 / 40, 12);
    expect(found!.change!.low).toBeGreaterThan(0);
  });

  it('says a fall when the interval is below zero, and neither when zero is in it', async () => {
    expect(await curveOf(10, 30, 12)).toMatchObject({ best: 1, verdict: 'fell' });
    expect(await curveOf(10, 30, 29)).toMatchObject({ best: 1, verdict: 'neither' });
  });

  it('is not asked of a single iteration, and of nothing that learns nothing', async () => {
    expect(await curveOf(10, 30)).toEqual({
      best: 1,
      change: null,
      sinceBest: null,
      verdict: 'one iteration',
    });
    expect(await curveOf(10)).toBeNull();
    expect(
      row(await analysed([{ method: 'debate', iterations: [debateRight(3)] }]), 'debate').endurance,
    ).toBeNull();
  });
});
