/** What is measured of the debates of an iteration? */
import {
  classesInRound,
  consensusShare,
  distinctAnswers,
  type GradedAnswers,
  majAtK,
  passAtK,
  roundsOf,
} from './answers.ts';
import { type ErrorsInCommon, errorsInCommon } from './errors-in-common.ts';
import { conformity, flips } from './flips.ts';
import { type Ratio, ratioOverQuestions, type RatioOverQuestions } from './ratio.ts';

/** All measures of the debates of an iteration. A measure is null when there was nothing to count. */
export type DebateMeasures = {
  /** How many different questions were debated. */
  readonly questions: number;
  /** The share of the last answers that agree with the majority. */
  readonly consensusShare: Ratio | null;
  /** The share of questions whose last answers are all equal. */
  readonly unanimous: Ratio | null;
  /** The number of different answers to a question, by round, from round 1. */
  readonly distinctAnswers: readonly (Ratio | null)[];
  /** The changes from each round to the next, from round 2. */
  readonly changes: readonly RoundChange[];
  /** pass@k and maj@k of the first answers, by k, 1..N. */
  readonly passAtK: readonly (Ratio | null)[];
  readonly majAtK: readonly (Ratio | null)[];
  /** pass@N less maj@N: the share of questions that some agent gets right and the vote does not. A perfect choice could gain that much. */
  readonly oracleGap: Ratio | null;
  readonly errors: ErrorsInCommon;
};

/** How agents changed their answers of the round before. */
export type RoundChange = {
  /** The later of the two rounds. */
  readonly round: number;
  /** Shares of all answers of the round. The sum of the four is 1. */
  readonly rightToRight: Ratio | null;
  readonly rightToWrong: Ratio | null;
  readonly wrongToRight: Ratio | null;
  readonly wrongToWrong: Ratio | null;
  /** The share of wrong answers that became right, and the share of right answers that became wrong. */
  readonly corrected: Ratio | null;
  readonly spoilt: Ratio | null;
  /** The share of answers against the others' majority that changed to it; and the shares of these that changed between right and wrong. */
  readonly conformed: Ratio | null;
  readonly conformedRightToWrong: Ratio | null;
  readonly conformedWrongToRight: Ratio | null;
};

/** Measures the debates of an iteration, which are added one after another: of one experiment, or of several seeds together. */
export function debateMeasures() {
  const questions = new Set<string>();
  const shares = ratioOverQuestions();
  const unanimous = ratioOverQuestions();
  const distinct: RatioOverQuestions[] = [];
  const pass: RatioOverQuestions[] = [];
  const majority: RatioOverQuestions[] = [];
  const oracleGap = ratioOverQuestions();
  const errors = errorsInCommon();
  const changes: ReturnType<typeof roundChanges>[] = [];

  return {
    add(question: string, answers: GradedAnswers): void {
      const rounds = roundsOf(answers);
      const last = consensusShare(classesInRound(answers, rounds));
      questions.add(question);
      shares.add(question, last, 1);
      unanimous.add(question, Number(last === 1), 1);
      for (let round = 1; round <= rounds; round++) {
        at(distinct, round - 1, ratioOverQuestions).add(
          question,
          distinctAnswers(classesInRound(answers, round)),
          1,
        );
        if (round > 1) at(changes, round - 2, () => roundChanges(round)).add(question, answers);
      }
      const firsts = classesInRound(answers, 1);
      const right = answers.right.map(([first = false]) => first);
      const rightCount = right.filter(Boolean).length;
      for (let k = 1; k <= firsts.length; k++) {
        at(pass, k - 1, ratioOverQuestions).add(question, passAtK(firsts.length, rightCount, k), 1);
        at(majority, k - 1, ratioOverQuestions).add(question, majAtK(firsts, right, k), 1);
      }
      oracleGap.add(question, Number(rightCount > 0) - majAtK(firsts, right, firsts.length), 1);
      errors.add(question, answers);
    },
    result(): DebateMeasures {
      return {
        questions: questions.size,
        consensusShare: shares.result(),
        unanimous: unanimous.result(),
        distinctAnswers: distinct.map((each) => each.result()),
        changes: changes.map((each) => each.result()),
        passAtK: pass.map((each) => each.result()),
        majAtK: majority.map((each) => each.result()),
        oracleGap: oracleGap.result(),
        errors: errors.result(),
      };
    },
  };
}

function roundChanges(round: number) {
  const rightToRight = ratioOverQuestions();
  const rightToWrong = ratioOverQuestions();
  const wrongToRight = ratioOverQuestions();
  const wrongToWrong = ratioOverQuestions();
  const corrected = ratioOverQuestions();
  const spoilt = ratioOverQuestions();
  const conformed = ratioOverQuestions();
  const conformedRightToWrong = ratioOverQuestions();
  const conformedWrongToRight = ratioOverQuestions();
  return {
    add(question: string, answers: GradedAnswers): void {
      const flipped = flips(answers.right, round);
      const agents = answers.right.length;
      rightToRight.add(question, flipped.rightToRight, agents);
      rightToWrong.add(question, flipped.rightToWrong, agents);
      wrongToRight.add(question, flipped.wrongToRight, agents);
      wrongToWrong.add(question, flipped.wrongToWrong, agents);
      corrected.add(question, flipped.wrongToRight, flipped.wrongToRight + flipped.wrongToWrong);
      spoilt.add(question, flipped.rightToWrong, flipped.rightToWrong + flipped.rightToRight);
      const yielded = conformity(answers, round);
      conformed.add(question, yielded.conformed, yielded.dissenting);
      conformedRightToWrong.add(question, yielded.rightToWrong, yielded.conformed);
      conformedWrongToRight.add(question, yielded.wrongToRight, yielded.conformed);
    },
    result: (): RoundChange => ({
      round,
      rightToRight: rightToRight.result(),
      rightToWrong: rightToWrong.result(),
      wrongToRight: wrongToRight.result(),
      wrongToWrong: wrongToWrong.result(),
      corrected: corrected.result(),
      spoilt: spoilt.result(),
      conformed: conformed.result(),
      conformedRightToWrong: conformedRightToWrong.result(),
      conformedWrongToRight: conformedWrongToRight.result(),
    }),
  };
}

/** The item at a place; made when there is none. */
function at<Item>(items: Item[], place: number, make: () => Item): Item {
  const item = items[place] ?? make();
  items[place] = item;
  return item;
}
