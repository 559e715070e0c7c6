import { describe, expect, it } from 'vitest';
import { errorsInCommon } from '../../../src/algorithm/measures/errors-in-common.ts';
import { graded } from './graded.ts';

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
