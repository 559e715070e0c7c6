import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passAtK } from '../../../src/algorithm/measures/answers.ts';

describe('pass@k', () => {
  // By hand: 1 - C(n - c, k) / C(n, k).
  it.each([
    [5, 2, 1, 2 / 5],
    [5, 2, 2, 1 - 3 / 10],
    [5, 2, 4, 1],
    [10, 1, 5, 1 - 126 / 252],
    [3, 0, 3, 0],
    [3, 3, 1, 1],
  ])('of %i answers with %i right, k = %i, is %f', (answers, right, k, expected) => {
    expect(passAtK(answers, right, k)).toBeCloseTo(expected, 12);
  });

  it('grows with k, is the accuracy at k = 1, and at k = n is 1 when any answer is right', () => {
    const counts = fc.integer({ min: 1, max: 2000 }).chain((n) => fc.tuple(fc.constant(n), fc.nat(n)));
    fc.assert(
      fc.property(counts, ([n, right]) => {
        expect(passAtK(n, right, 1)).toBeCloseTo(right / n, 12);
        expect(passAtK(n, right, n)).toBe(Number(right > 0));
        expect(passAtK(n, right, Math.min(2, n))).toBeGreaterThanOrEqual(passAtK(n, right, 1));
      }),
    );
  });

  it.each([0, 4])('cannot be computed for k = %i of three answers', (k) => {
    expect(() => passAtK(3, 1, k)).toThrow(RangeError);
  });
});
