import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapDifference as ofDifferences } from '../../../src/algorithm/measures/tests.ts';

const settings = { resamples: 10_000, level: 0.95 };

/** Of two methods with one score a question. */
function bootstrapDifference(method: readonly number[], baseline: readonly number[], how: typeof settings) {
  return ofDifferences(
    method.map((score, index) => ({ difference: score - baseline[index]!, weight: 1 })),
    how,
  );
}

describe('the paired bootstrap interval', () => {
  // Two questions without a difference and one with 3: a drawn mean is the number of draws (of 3) of the last one, binomial with
  // p = 1/3: 0 has 8/27 = 29.6 %, up to 1 are 74.1 %, up to 2 are 96.3 %.
  it.each([
    [0.45, 0, 1],
    [0.9, 0, 2],
    [0.98, 0, 3],
  ])('at level %f of three questions lies where the binomial distribution has it', (level, low, high) => {
    const found = bootstrapDifference([1, 0, 3], [1, 0, 0], { ...settings, level });
    expect(found).toEqual({ difference: 1, low, high });
  });

  it('agrees with scipy on a hundred questions', () => {
    // scipy.stats.bootstrap((d,), np.mean, n_resamples=200000, method='percentile', random_state=0) for d of 15 wins, 10 losses and 75
    // ties: -0.05 and 0.15; a hundredth is one question, as means of a hundred have no finer steps.
    const differences = Array.from({ length: 100 }, (_, index) => (index < 15 ? 1 : index < 25 ? -1 : 0));
    const nothing = differences.map(() => 0);
    const { difference, low, high } = bootstrapDifference(differences, nothing, settings);
    expect(difference).toBeCloseTo(0.05, 12);
    expect(Math.abs(low + 0.05)).toBeLessThan(0.0101);
    expect(Math.abs(high - 0.15)).toBeLessThan(0.0101);
  });

  it('is as wide as 3.92 standard errors of the paired difference when there are many questions', () => {
    const method = Array.from({ length: 500 }, (_, index) => ((index * 7919) % 500) / 500);
    const { low, high } = bootstrapDifference(
      method,
      method.map(() => 0),
      { ...settings, resamples: 4000 },
    );
    // A uniform distribution over 0..1 has a standard deviation of 1 / sqrt(12).
    expect((high - low) / ((2 * 1.96) / Math.sqrt(12 * 500))).toBeCloseTo(1, 1);
  });

  it('pairs the questions: the difference of two methods with the same answers is exactly 0', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 50 }), (scores) => {
        const found = bootstrapDifference(scores, scores, { ...settings, resamples: 20 });
        expect(found).toEqual({ difference: 0, low: 0, high: 0 });
      }),
    );
  });

  it('is equal for equal comparisons, in whatever order the questions come, and mirrored for exchanged methods', () => {
    const scores = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 2)), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(scores, (pairs) => {
        const how = { ...settings, resamples: 50 };
        const [first, second] = [pairs.map(([each]) => each), pairs.map(([, each]) => each)];
        const found = bootstrapDifference(first, second, how);
        expect(bootstrapDifference(first.toReversed(), second.toReversed(), how)).toEqual(found);
        const exchanged = bootstrapDifference(second, first, how);
        expect(exchanged.difference).toBeCloseTo(-found.difference, 12);
        expect(exchanged.low).toBeCloseTo(-found.high, 12);
        expect(exchanged.high).toBeCloseTo(-found.low, 12);
      }),
    );
  });

  it('draws questions with all of their answers: a question that three seeds asked weighs as three', () => {
    // Of one question with 3 of 3 and one with 0 of 1 a drawn mean is 0, 3/4 or 1.
    const found = ofDifferences(
      [
        { difference: 3, weight: 3 },
        { difference: 0, weight: 1 },
      ],
      settings,
    );
    expect(found).toEqual({ difference: 3 / 4, low: 0, high: 1 });
  });

  it('refuses to compare without questions', () => {
    expect(() => bootstrapDifference([], [], settings)).toThrow(RangeError);
  });
});
