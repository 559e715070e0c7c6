import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { debateMeasures, errorsInCommon } from '../../../src/algorithm/measures/debate-measures.ts';
import type { GradedAnswers } from '../../../src/algorithm/measures/answers.ts';
import { anyAgents, graded } from './graded.ts';

function measures(debates: readonly GradedAnswers[]) {
  const all = debateMeasures();
  for (const [index, debate] of debates.entries()) all.add(`q${index}`, debate);
  return all.result();
}

describe('the measures of an iteration', () => {
  // Three agents: one yields to the right majority; one is alone and right, and yields; all agree and the debate is stopped.
  const found = measures([graded('aR', 'RR', 'RR'), graded('Ra', 'aa', 'ab'), graded('R', 'R', 'R')]);
  const [change] = found.changes;
  const value = (ratio: { readonly value: number } | null | undefined) => ratio?.value;

  it('have the shares of consensus and of unanimity over all questions', () => {
    // 1, 2/3 and 1 of the last answers; two of three questions.
    expect(found.questions).toBe(3);
    expect(value(found.consensusShare)).toBeCloseTo((1 + 2 / 3 + 1) / 3, 12);
    expect(value(found.unanimous)).toBeCloseTo(2 / 3, 12);
  });

  it('have distinct answers by round, of the debates that had it', () => {
    expect(found.distinctAnswers.map(value)).toEqual([(2 + 2 + 1) / 3, (1 + 2) / 2]);
    expect(found.distinctAnswers.map((each) => each!.of)).toEqual([3, 2]);
  });

  it('have the flips of all answers that were followed by another round', () => {
    // Of six answers: R->R twice, R->a once, a->R once, a->a and a->b.
    expect(change!.round).toBe(2);
    expect(value(change!.rightToRight)).toBeCloseTo(2 / 6, 12);
    expect(value(change!.rightToWrong)).toBeCloseTo(1 / 6, 12);
    expect(value(change!.wrongToRight)).toBeCloseTo(1 / 6, 12);
    expect(value(change!.wrongToWrong)).toBeCloseTo(2 / 6, 12);
  });

  it('have the shares that critics corrected of wrong answers and spoilt of right ones', () => {
    expect(change!.corrected).toMatchObject({ value: 1 / 3, of: 3 });
    expect(change!.spoilt).toMatchObject({ value: 1 / 3, of: 3 });
    // Corrected, by question: 1 of 1 and 0 of 2. R = 1/3, residuals 2/3 and -2/3: sqrt(8/9) / 3.
    expect(change!.corrected!.standardError).toBeCloseTo(Math.sqrt(8 / 9) / 3, 12);
  });

  it('have conformity, and how it changed the answers', () => {
    expect(change!.conformed).toMatchObject({ value: 1, of: 2 });
    expect(change!.conformedRightToWrong).toMatchObject({ value: 1 / 2, of: 2 });
    expect(change!.conformedWrongToRight).toMatchObject({ value: 1 / 2, of: 2 });
  });

  it('have pass@k and maj@k of the first answers', () => {
    // Right first answers: 2, 1 and 3 of 3. pass@2: 1, 1 - C(2,2)/C(3,2) = 2/3, 1. maj@2 of a R R: (1/2 + 1/2 + 1) / 3 = 2/3;
    // of R a a: (1/2 + 1/2 + 0) / 3 = 1/3; and 1.
    expect(found.passAtK).toHaveLength(3);
    expect(value(found.passAtK[0])).toBeCloseTo(2 / 3, 12);
    expect(value(found.passAtK[1])).toBeCloseTo((1 + 2 / 3 + 1) / 3, 12);
    expect(value(found.passAtK[2])).toBe(1);
    expect(value(found.majAtK[0])).toBeCloseTo(2 / 3, 12);
    expect(value(found.majAtK[1])).toBeCloseTo(2 / 3, 12);
    expect(value(found.majAtK[2])).toBeCloseTo(2 / 3, 12);
  });

  it('are null where there was nothing to count', () => {
    expect(measures([])).toEqual({
      questions: 0,
      consensusShare: null,
      unanimous: null,
      distinctAnswers: [],
      changes: [],
      passAtK: [],
      majAtK: [],
      oracleGap: null,
      errors: { correlation: null, sameWrong: null },
    });
    expect(measures([graded('RR', 'RR')]).changes[0]).toMatchObject({ corrected: null, conformed: null });
  });

  it('are shares, and the flips add up to 1, for any debates', () => {
    const debates = fc.array(anyAgents, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(debates, (all) => {
        for (const change of measures(all.map((agents) => graded(...agents))).changes) {
          const { round: _, ...ratios } = change;
          for (const ratio of Object.values(ratios)) {
            if (ratio === null) continue;
            expect(ratio.value).toBeGreaterThanOrEqual(0);
            expect(ratio.value).toBeLessThanOrEqual(1);
            expect(ratio.standardError).toBeGreaterThanOrEqual(0);
          }
          const flipped = [
            change.rightToRight,
            change.rightToWrong,
            change.wrongToRight,
            change.wrongToWrong,
          ];
          expect(flipped.reduce((sum, each) => sum + each!.value, 0)).toBeCloseTo(1, 9);
        }
      }),
    );
  });
});

/** @param questions of each the agents' first answers, a letter each: R is right */
function common(...questions: readonly string[]) {
  const errors = errorsInCommon();
  for (const [index, answers] of questions.entries()) errors.add(`q${index}`, graded(...Array.from(answers)));
  return errors.result();
}

describe('the errors that agents have in common', () => {
  it('are correlated by 1 when they are wrong on the same questions, and by 0 when that is chance', () => {
    expect(common('RR', 'RR', 'aa', 'ab').correlation!.value).toBeCloseTo(1, 12);
    expect(common('RR', 'Ra', 'aR', 'ab').correlation!.value).toBeCloseTo(0, 12);
    expect(common('Ra', 'aR', 'Ra', 'bR').correlation!.value).toBeCloseTo(-1, 12);
  });

  it('are the mean over pairs of agents', () => {
    // Agents 1 and 2: phi of both wrong 2, one alone 1, none 1 of 4: (2/4 - 3/4 * 2/4) / sqrt(3/16 * 4/16) = 1 / sqrt(3).
    // Agent 3 is wrong where agent 2 is right: -1 / sqrt(3) and -1.
    const { correlation } = common('aaR', 'abR', 'aRa', 'RRa');
    expect(correlation!.value).toBeCloseTo((1 / Math.sqrt(3) - 1 / Math.sqrt(3) - 1) / 3, 12);
  });

  it('have the standard error of a jackknife over questions, and several seeds do not make more of them', () => {
    const questions = ['RR', 'Ra', 'aR', 'ab', 'aa', 'RR'];
    const once = common(...questions).correlation!;
    // By leaving out each: the correlations of five questions.
    const left = questions.map((_, index) => common(...questions.toSpliced(index, 1)).correlation!.value);
    const mean = left.reduce((sum, each) => sum + each, 0) / 6;
    const expected = Math.sqrt((5 / 6) * left.reduce((sum, each) => sum + (each - mean) ** 2, 0));
    expect(once.standardError).toBeCloseTo(expected, 12);
    const twice = errorsInCommon();
    for (const answers of [...questions.entries(), ...questions.entries()])
      twice.add(`q${answers[0]}`, graded(...Array.from(answers[1])));
    expect(twice.result().correlation!.standardError).toBeCloseTo(once.standardError, 12);
  });

  it('are the same wrong answer in a share of the pairs that are both wrong; one that cannot be read equals none', () => {
    // Pairs that are both wrong: 1, 3 and 1; alike: 1, 1 and 0.
    expect(common('aaR', 'aab', 'R--').sameWrong).toMatchObject({ value: 2 / 5, of: 5 });
  });

  it('are unknown of one agent, and of agents that are never wrong', () => {
    expect(common('R', 'a')).toEqual({ correlation: null, sameWrong: null });
    expect(common('RR', 'RR')).toEqual({ correlation: null, sameWrong: null });
  });
});
