import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy } from '../../../src/algorithm/measures/answers.ts';

const right = (count: number, of: number) => Array.from({ length: of }, (_, index) => Number(index < count));

describe('accuracy', () => {
  // Worked by hand: sqrt(p (1 - p) / n).
  it.each([
    [294, 500, 0.588, 0.022012],
    [441, 500, 0.882, 0.014427],
    [856, 1000, 0.856, 0.011102],
    [1, 2, 0.5, 0.353553],
    [0, 10, 0, 0],
    [10, 10, 1, 0],
  ])('%i right of %i are %f with a standard error of %f', (count, of, mean, error) => {
    const result = accuracy(right(count, of));
    expect(result.accuracy).toBeCloseTo(mean, 12);
    expect(result.standardError).toBeCloseTo(error, 6);
  });

  it('takes the question as the unit when each score is a mean over agents', () => {
    // Mean 1/2, squared deviations 1/4 + 1/36 + 1/36 + 1/4 = 5/9, variance 5/36, over 4 questions 5/144.
    const { accuracy: mean, standardError } = accuracy([0, 1 / 3, 2 / 3, 1]);
    expect(mean).toBeCloseTo(0.5, 12);
    expect(standardError).toBeCloseTo(Math.sqrt(5 / 144), 12);
  });

  it('of no questions is not a number, which is null in JSON', () => {
    expect(JSON.stringify(accuracy([]))).toBe('{"accuracy":null,"standardError":null}');
  });

  it('does not depend on the order of questions, to the last digit', () => {
    const scores = fc.array(fc.constantFrom(0, 1 / 3, 2 / 3, 1), { minLength: 1, maxLength: 200 });
    const reordered = scores.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
    fc.assert(
      fc.property(reordered, ([all, shuffled]) => {
        expect(accuracy(shuffled)).toEqual(accuracy(all));
      }),
    );
  });

  it('lies in 0..1 and equals sqrt(p (1 - p) / n) for right and wrong answers', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 500 }), (answers) => {
        const { accuracy: p, standardError } = accuracy(answers.map(Number));
        expect(p).toBeGreaterThanOrEqual(0);
        expect(p).toBeLessThanOrEqual(1);
        expect(standardError).toBeCloseTo(Math.sqrt((p * (1 - p)) / answers.length), 12);
      }),
    );
  });
});
