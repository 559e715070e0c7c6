import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accuracy, ratioOverQuestions, wilsonInterval } from '../../../src/algorithm/measures/answers.ts';

function ratio(pairs: readonly (readonly [number, number])[]) {
  const sums = ratioOverQuestions();
  for (const [index, [count, of]] of pairs.entries()) sums.add(`q${index}`, count, of);
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

  it('adds up the terms of one question, so that seeds that share questions count as one observation', () => {
    // Ten questions that three seeds answer alike: sqrt(p (1 - p) / 10), and not / 30.
    const sums = ratioOverQuestions();
    for (let seed = 0; seed < 3; seed++)
      for (let question = 0; question < 10; question++) sums.add(`q${question}`, Number(question < 4), 1);
    expect(sums.result()).toMatchObject({ value: 0.4, of: 30, questions: 10 });
    expect(sums.result()!.standardError).toBeCloseTo(Math.sqrt((0.4 * 0.6) / 10), 12);
  });
});

describe("Wilson's interval of a share", () => {
  const interval = (right: number, of: number) => {
    const value = right / of;
    return wilsonInterval({ value, standardError: Math.sqrt((value * (1 - value)) / of) }, of);
  };

  // Newcombe, Statistics in Medicine 17 (1998), Table I, method 3; and z^2 / (16 + z^2).
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [0, 16, 0, 0.1936],
    [16, 16, 0.8064, 1],
  ])('of %i of %i is %f to %f', (right, of, low, high) => {
    expect(interval(right, of).low).toBeCloseTo(low, 4);
    expect(interval(right, of).high).toBeCloseTo(high, 4);
  });

  it('is in 0..1, contains the share, and has a width whatever the share', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 1, max: 200 }), (first, of) => {
        const right = Math.min(first, of);
        const { low, high } = interval(right, of);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(right / of);
        expect(high).toBeGreaterThanOrEqual(right / of);
        expect(high - low).toBeGreaterThan(1 / (of + 5));
      }),
    );
  });

  it('of equal scores, whose standard error is 0, has the width of the number of questions', () => {
    const thirds = wilsonInterval({ value: 1 / 3, standardError: 1e-17 }, 16);
    expect(thirds.high - thirds.low).toBeGreaterThan(0.4);
  });
});
