import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pairedTest, signFlipTest } from '../../../src/algorithm/measures/tests.ts';

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

/** The share of all ways of choosing signs whose sum is at least as far from 0, counted one by one. */
function enumerated(differences: readonly number[]): number {
  const observed = Math.abs(differences.reduce((sum, each) => sum + each, 0));
  let beyond = 0;
  for (let signs = 0; signs < 2 ** differences.length; signs++) {
    const sum = differences.reduce(
      (all, each, index) => all + ((signs >> index) % 2 === 0 ? each : -each),
      0,
    );
    if (Math.abs(sum) >= observed) beyond += 1;
  }
  return beyond / 2 ** differences.length;
}

describe('the sign-flip test', () => {
  // Fisher's example of Darwin's maize (The Design of Experiments, 1935, section 21), in eighths of an inch: 1,726 of the 2^15 ways.
  it("has Fisher's p-value for Darwin's maize: 1,726 / 32,768", () => {
    const maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48];
    expect(signFlipTest(maize)).toEqual({ wins: 13, losses: 2, pValue: 1726 / 2 ** 15 });
  });

  it('is the share of all ways of choosing signs, exactly', () => {
    const differences = fc.array(fc.integer({ min: -6, max: 6 }), { maxLength: 10 });
    fc.assert(
      fc.property(differences, (all) => {
        expect(signFlipTest(all).pValue).toBeCloseTo(enumerated(all), 12);
      }),
      { numRuns: 60 },
    );
  });

  it("is McNemar's test for one answer a question", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 200 }), (pairs) => {
        const found = signFlipTest(pairs.map(([a, b]) => Number(a) - Number(b)));
        expect(found.pValue).toBeCloseTo(Math.exp(exactLogPValue(found.wins, found.losses)), 12);
      }),
    );
  });

  it('is exactly 1 where no choice of signs is nearer to 0, and never 0.9999999999999996', () => {
    for (let losses = 0; losses < 400; losses += 7) {
      expect(pValue(losses, losses)).toBe(1);
      expect(pValue(losses + 1, losses)).toBe(1);
    }
    expect(signFlipTest([2, 3, -4, 1, -2, 0]).pValue).toBe(1);
    expect(signFlipTest([]).pValue).toBe(1);
    const differences = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 300 });
    fc.assert(
      fc.property(differences, (all) => {
        const p = signFlipTest([...all, ...all.map((each) => -each)]).pValue;
        expect(p).toBe(1);
      }),
    );
  });

  it('does not change when all differences are in another step, or questions are exchanged', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 40 }), (all) => {
        const p = signFlipTest(all).pValue;
        expect(signFlipTest(all.map((each) => each * 5)).pValue).toBeCloseTo(p, 12);
        expect(signFlipTest(all.toReversed()).pValue).toBeCloseTo(p, 12);
      }),
    );
  });

  it('refuses differences that are not whole, whose equal sums would differ in their last digit', () => {
    expect(() => signFlipTest([1 / 3, 1])).toThrow(RangeError);
  });
});
