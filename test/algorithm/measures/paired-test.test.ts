import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pairedTest } from '../../../src/algorithm/measures/tests.ts';

/** Two methods' answers with the given numbers of wins, losses and questions on which both are right. */
function answers(wins: number, losses: number, ties = 3) {
  const method = [...Array<boolean>(wins).fill(true), ...Array<boolean>(losses).fill(false)];
  const both = Array<boolean>(ties).fill(true);
  return { method: [...method, ...both], baseline: [...method.map((right) => !right), ...both] };
}

function pValue(wins: number, losses: number): number {
  const { method, baseline } = answers(wins, losses);
  return pairedTest(method, baseline).pValue;
}

/** The natural logarithm of min(1, 2 * sum of C(n, i) for i <= k / 2^n), summed exactly in whole numbers. */
function exactLogPValue(wins: number, losses: number): number {
  const n = BigInt(wins + losses);
  let choose = 1n;
  let sum = 1n;
  for (let i = 1n; i <= BigInt(Math.min(wins, losses)); i++) {
    choose = (choose * (n - i + 1n)) / i;
    sum += choose;
  }
  const numerator = 2n * sum;
  if (numerator >= 1n << n) return 0;
  const excess = BigInt(Math.max(0, numerator.toString(2).length - 60));
  return Math.log(Number(numerator >> excess)) + (Number(excess) - Number(n)) * Math.LN2;
}

describe('the paired test', () => {
  // By hand: 2 * (C(n,0) + ... + C(n,min)) / 2^n.
  it.each([
    [0, 0, 1],
    [1, 0, 1],
    [5, 0, 2 / 32],
    [8, 2, 112 / 1024],
    [10, 1, 24 / 2048],
    [3, 3, 1],
    [15, 5, (2 * (1 + 20 + 190 + 1140 + 4845 + 15504)) / 2 ** 20],
  ])('of %i wins and %i losses has p = %f', (wins, losses, p) => {
    expect(pValue(wins, losses)).toBeCloseTo(p, 12);
  });

  it('agrees with exact sums of binomial coefficients up to 2000 questions', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const wins = Math.round(n * share);
        const exact = exactLogPValue(wins, n - wins);
        const p = pValue(wins, n - wins);
        // Below 1e-299 a double has hardly any digits left to compare.
        const close = exact > -690 ? Math.abs(Math.log(p) - exact) < 1e-9 : p < 1e-298;
        expect({ wins, p, close }).toEqual({ wins, p, close: true });
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [1000, 1000],
    [1050, 950],
    [1100, 900],
    [1200, 800],
  ])('agrees with exact sums for %i wins and %i losses', (wins, losses) => {
    expect(Math.log(pValue(wins, losses))).toBeCloseTo(exactLogPValue(wins, losses), 9);
  });

  it('is in 0..1, and the same for wins and losses swapped', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (wins, losses) => {
        expect(pValue(wins, losses)).toBe(pValue(losses, wins));
        expect(pValue(wins, losses)).toBeGreaterThanOrEqual(0);
        expect(pValue(wins, losses)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('counts wins and losses, and not the questions on which both are right or both wrong', () => {
    expect(pairedTest([true, true, false, false], [false, true, true, false])).toMatchObject({
      wins: 1,
      losses: 1,
    });
  });

  it('refuses answers to different numbers of questions', () => {
    expect(() => pairedTest([true], [true, false])).toThrow(RangeError);
  });
});
