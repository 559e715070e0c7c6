import { describe, expect, it } from 'vitest';
import { comparePaired, type ScorePair } from '../../../src/algorithm/measures/comparison.ts';
import { pairedTest } from '../../../src/algorithm/measures/tests.ts';
import { draws } from '../../../src/algorithm/random.ts';

const vote = (right: boolean) => ({ right: Number(right), of: 1 });
const pair = (question: string, first: boolean, second: boolean): ScorePair => ({
  question,
  first: vote(first),
  second: vote(second),
});

describe('a comparison of two methods by question', () => {
  it("has McNemar's p-value and the difference of accuracies with one answer a question", () => {
    const first = [true, true, true, true, false, true];
    const second = [false, false, true, false, true, false];
    const found = comparePaired(first.map((right, index) => pair(`q${index}`, right, second[index]!)))!;
    expect(found).toMatchObject({ questions: 6, ...pairedTest(first, second) });
    expect(found.difference).toBeCloseTo(3 / 6, 12);
  });

  it('counts a question once, with all of its seeds', () => {
    // Three seeds that answer the same four questions alike: as sure as one of them.
    const one = [
      pair('a', true, false),
      pair('b', true, false),
      pair('c', true, true),
      pair('d', false, true),
    ];
    const [once, thrice] = [comparePaired(one)!, comparePaired([...one, ...one, ...one])!];
    expect(thrice).toEqual({ ...once, units: 12 });
    expect(once).toMatchObject({ questions: 4, wins: 2, losses: 1, pValue: 1 });
  });

  it('compares the means of methods that answer once, in every digit', () => {
    // Of three agents 1, 2 and 3 against 0, 1 and 2 right: each question is better by a third.
    const thirds = [0, 1, 2].map((right) => ({
      question: `q${right}`,
      first: { right: right + 1, of: 3 },
      second: { right, of: 3 },
    }));
    const found = comparePaired(thirds)!;
    expect(found).toMatchObject({ wins: 3, losses: 0, pValue: 2 / 2 ** 3 });
    expect(found.difference).toBeCloseTo(1 / 3, 12);
    expect(found.low).toBeCloseTo(found.high, 12);
  });

  it('compares means over different numbers of answers: 2 of 4 is 1 of 2', () => {
    const equal = { question: 'q', first: { right: 2, of: 4 }, second: { right: 1, of: 2 } };
    expect(comparePaired([equal])).toMatchObject({ difference: 0, wins: 0, losses: 0, pValue: 1 });
    expect(comparePaired([])).toBeNull();
  });

  it('says what such a sample could show: 2.8 standard errors, and never less than six questions', () => {
    const questions = Array.from({ length: 400 }, (_, index) => pair(`q${index}`, index < 40, index >= 360));
    // 80 of 400 differ, half of them each way: sqrt(0.2 / 400).
    expect(comparePaired(questions)!.standardError).toBeCloseTo(Math.sqrt(0.2 / 400), 12);
    expect(comparePaired(questions)!.detectable).toBeCloseTo(2.8 * Math.sqrt(0.2 / 400), 12);
    const alike = Array.from({ length: 24 }, (_, index) => pair(`q${index}`, true, true));
    expect(comparePaired(alike)!.detectable).toBe(6 / 24);
  });
});

/**
 * Two equally good methods, each trained with three seeds that share their questions. A question suits one of the two: that is what makes
 * its seeds depend on each other.
 */
function drawnStudy(study: number, questions: number): ScorePair[] {
  const draw = draws({ seed: study, iteration: 0, purpose: 'a study without a difference' });
  const chance = () => draw(1_000_000) / 1_000_000;
  return Array.from({ length: questions }, (_, question) => {
    const suits = chance() < 0.5 ? [0.9, 0.4] : [0.4, 0.9];
    return Array.from({ length: 3 }, () => pair(`q${question}`, chance() < suits[0]!, chance() < suits[1]!));
  }).flat();
}

describe('studies without a difference, whose three seeds share questions', () => {
  const studies = Array.from({ length: 1000 }, (_, study) => drawnStudy(study, 60));
  const found = studies.map((pairs) => comparePaired(pairs)!);

  it('are called different at 5 % about once in twenty times', () => {
    const errors = found.filter(({ pValue }) => pValue < 0.05).length / studies.length;
    // Three standard errors of a share of 1,000.
    expect(Math.abs(errors - 0.05)).toBeLessThan(3 * Math.sqrt((0.05 * 0.95) / 1000));
  });

  it('were called so far more often when each seed counted as another question', () => {
    const units = studies.map((pairs) =>
      pairedTest(
        pairs.map(({ first }) => first.right === 1),
        pairs.map(({ second }) => second.right === 1),
      ),
    );
    expect(units.filter(({ pValue }) => pValue < 0.05).length / studies.length).toBeGreaterThan(0.08);
  });

  it('have intervals that hold 0 about 19 times in 20, and the standard error with which differences really vary', () => {
    const held = found.filter(({ low, high }) => low <= 0 && high >= 0).length / studies.length;
    expect(held).toBeGreaterThan(0.92);
    expect(held).toBeLessThan(0.98);
    const spread = Math.sqrt(
      found.reduce((sum, { difference }) => sum + difference ** 2, 0) / studies.length,
    );
    const stated = found.reduce((sum, { standardError }) => sum + standardError, 0) / studies.length;
    expect(stated / spread).toBeGreaterThan(0.93);
    expect(stated / spread).toBeLessThan(1.07);
  });
});
