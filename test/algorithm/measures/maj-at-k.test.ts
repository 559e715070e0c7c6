import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majAtK, votesByClass } from '../../../src/algorithm/measures/answers.ts';
import { graded } from './graded.ts';

/** maj@k of the answers of one round, one sign an answer. */
function majority(signs: string, k: number): number {
  const { right, classes } = graded(...Array.from(signs));
  return majAtK(classes.flat(), right.flat(), k);
}

/** maj@k by counting every subset. */
function byEnumeration(signs: string, k: number): number {
  const { right, classes } = graded(...Array.from(signs));
  let [subsets, won] = [0, 0];
  for (let mask = 0; mask < 1 << signs.length; mask++) {
    const drawn = Array.from(signs)
      .map((_, index) => index)
      .filter((index) => (mask >> index) & 1);
    if (drawn.length !== k) continue;
    subsets += 1;
    const votes = votesByClass(drawn.map((index) => classes[index]![0]!));
    const most = Math.max(0, ...votes.values());
    const leaders = [...votes].filter(([, count]) => count === most).map(([each]) => each);
    const good = leaders.filter((each) => right[classes.findIndex(([own]) => own === each)]![0]);
    if (leaders.length > 0) won += good.length / leaders.length;
  }
  return won / subsets;
}

describe('maj@k', () => {
  it.each([
    // Any two of R, R, a: {R,R} wins, {R,a} twice is half a win: (1 + 1/2 + 1/2) / 3.
    ['RRa', 2, 2 / 3],
    ['RRa', 3, 1],
    ['RRa', 1, 2 / 3],
    // Four of five: without an R (twice) R a a b -> 0; without an a (twice) R R a b -> 1; without b R R a a -> 1/2.
    ['RRaab', 4, 2.5 / 5],
    // One that cannot be parsed never wins: {R,-} is a win.
    ['R-', 2, 1],
    ['--', 2, 0],
    // A three-way tie is right once in three.
    ['Rab', 3, 1 / 3],
  ])('of %s, k = %i, is %f', (signs, k, expected) => {
    expect(majority(signs, k)).toBeCloseTo(expected, 12);
  });

  it('equals the share over all subsets', () => {
    const answers = fc.array(fc.constantFrom('R', 'a', 'b', 'c', '-'), { minLength: 1, maxLength: 9 });
    const cases = answers.chain((signs) =>
      fc.tuple(fc.constant(signs.join('')), fc.integer({ min: 1, max: signs.length })),
    );
    fc.assert(
      fc.property(cases, ([signs, k]) => {
        expect(majority(signs, k)).toBeCloseTo(byEnumeration(signs, k), 10);
      }),
    );
  });

  it('is a probability for 64 answers', () => {
    const signs = 'R'.repeat(30) + 'a'.repeat(20) + 'b'.repeat(10) + '-'.repeat(4);
    expect(majority(signs, 1)).toBeCloseTo(30 / 64, 12);
    expect(majority(signs, 32)).toBeGreaterThan(majority(signs, 8));
    expect(majority(signs, 64)).toBeCloseTo(1, 12);
  });

  it.each([0, 4])('cannot be computed for k = %i of three answers', (k) => {
    expect(() => majority('RRa', k)).toThrow(RangeError);
  });
});
