import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holm } from '../../../src/algorithm/measures/tests.ts';

describe("Holm's correction", () => {
  it('agrees with statsmodels', () => {
    // statsmodels.stats.multitest.multipletests([0.01,0.04,0.03,0.005,0.5,0.04], method='holm')[1]
    const adjusted = holm([0.01, 0.04, 0.03, 0.005, 0.5, 0.04]);
    for (const [index, p] of [0.05, 0.12, 0.12, 0.03, 0.5, 0.12].entries())
      expect(adjusted[index]).toBeCloseTo(p, 12);
  });

  it('multiplies the smallest by the number of tests, the next by one less, and never gives less than for a smaller one', () => {
    // 0.01 * 3 = 0.03; 0.02 * 2 = 0.04; 0.03 * 1 = 0.03, but not below 0.04.
    expect(holm([0.03, 0.01, 0.02]).map((p) => p.toFixed(12))).toEqual(
      [0.04, 0.03, 0.04].map((p) => p.toFixed(12)),
    );
  });

  it('lies between the p-value itself and Bonferroni, and keeps the order', () => {
    const probabilities = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
    fc.assert(
      fc.property(probabilities, (pValues) => {
        const adjusted = holm(pValues);
        expect(adjusted).toHaveLength(pValues.length);
        for (const [i, p] of pValues.entries()) {
          expect(adjusted[i]).toBeGreaterThanOrEqual(p);
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p * pValues.length));
          const greater = adjusted.filter((_, j) => pValues[j]! >= p);
          expect(adjusted[i]).toBe(Math.min(...greater));
        }
      }),
    );
  });

  it('does not change a single p-value, and takes an empty list', () => {
    expect(holm([0.2])).toEqual([0.2]);
    expect(holm([])).toEqual([]);
  });
});
