import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy } from '../../../src/algorithm/measures/answers.ts';
import { ratioOverQuestions } from '../../../src/algorithm/measures/tests.ts';

function ratio(pairs: readonly (readonly [number, number])[]) {
  const sums = ratioOverQuestions();
  for (const [count, of] of pairs) sums.add(count, of);
  return sums.result();
}

describe('a ratio over questions', () => {
  it('has the standard error of a ratio of means', () => {
    // numpy: y=[1,0,2,3,0,1]; x=[2,1,2,4,0,3]; R=y.sum()/x.sum(); C=np.cov(y,x,ddof=0);
    // np.sqrt((C[0,0]-2*R*C[0,1]+R*R*C[1,1])/6)/x.mean() = 0.1198796979280005
    const found = ratio([
      [1, 2],
      [0, 1],
      [2, 2],
      [3, 4],
      [0, 0],
      [1, 3],
    ]);
    expect(found!.value).toBeCloseTo(7 / 12, 12);
    expect(found!.standardError).toBeCloseTo(0.1198796979280005, 12);
    expect(found!.of).toBe(12);
  });

  it('treats the answers to one question as one observation, not as many', () => {
    // Two questions, 100 answers each, all right or all wrong: R = 1/2, deviations 50 and -50, sqrt(5000) / 200.
    const found = ratio([
      [100, 100],
      [0, 100],
    ]);
    expect(found!.standardError).toBeCloseTo(Math.sqrt(5000) / 200, 12);
  });

  it('is the accuracy and its standard error when each question counts one', () => {
    const scores = fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(scores, (all) => {
        const expected = accuracy(all);
        const found = ratio(all.map((score) => [score, 1]));
        expect(found!.value).toBeCloseTo(expected.accuracy, 12);
        expect(found!.standardError).toBeCloseTo(expected.standardError, 9);
        expect(found!.of).toBe(all.length);
      }),
    );
  });

  it('is null when nothing was counted', () => {
    expect(ratio([])).toBeNull();
    expect(ratio([[0, 0]])).toBeNull();
  });
});
