/** What is measured of the debates of an iteration, and do their agents make the same mistakes? */
import {
  classesInRound,
  consensusShare,
  distinctAnswers,
  type GradedAnswers,
  majAtK,
  passAtK,
  type Ratio,
  type RatioOverQuestions,
  ratioOverQuestions,
  roundsOf,
} from './answers.ts';
import { conformity, flips } from './flips.ts';

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

/** How far the first answers of different agents are wrong together. */
export type ErrorsInCommon = {
  /**
   * The mean over pairs of agents of the correlation (phi) of being wrong, -1..1: 0 for agents whose errors have nothing to do with each
   * other, 1 for agents that are wrong on the same questions. Null where an agent of each pair is always right or always wrong.
   */
  readonly correlation: { readonly value: number; readonly standardError: number } | null;
  /** Of pairs of agents that are both wrong, the share that give the same wrong answer. An answer that could not be parsed equals no other. */
  readonly sameWrong: Ratio | null;
};

/** The sums of a question: how many debates, by agent how many wrong first answers, by pair of agents how many that are both wrong. */
type Sums = { debates: number; readonly wrong: number[]; readonly both: number[] };

/**
 * Measures the debates of an iteration, which are added one after another. The standard error of the correlation is the jackknife's, which
 * leaves out one question at a time with all of its seeds (Efron and Tibshirani, 1993, section 11.2).
 */
export function errorsInCommon() {
  const byQuestion = new Map<string, Sums>();
  const sameWrong = ratioOverQuestions();
  return {
    add(question: string, answers: GradedAnswers): void {
      const wrong = answers.right.map(([first]) => Number(first !== true));
      const classes = classesInRound(answers, 1);
      const pairs = pairsOf(wrong.length);
      const sums = byQuestion.get(question) ?? {
        debates: 0,
        wrong: wrong.map(() => 0),
        both: pairs.map(() => 0),
      };
      byQuestion.set(question, sums);
      sums.debates += 1;
      for (const [agent, each] of wrong.entries()) sums.wrong[agent] = (sums.wrong[agent] ?? 0) + each;
      let [together, alike] = [0, 0];
      for (const [index, [i, j]] of pairs.entries()) {
        const both = (wrong[i] ?? 0) * (wrong[j] ?? 0);
        sums.both[index] = (sums.both[index] ?? 0) + both;
        together += both;
        alike += both === 1 && classes[i] !== null && classes[i] === classes[j] ? 1 : 0;
      }
      sameWrong.add(question, alike, together);
    },
    result(): ErrorsInCommon {
      return { correlation: correlationOf([...byQuestion.values()]), sameWrong: sameWrong.result() };
    },
  };
}

function correlationOf(questions: readonly Sums[]): ErrorsInCommon['correlation'] {
  const [first] = questions;
  if (first === undefined) return null;
  const total: Sums = { debates: 0, wrong: first.wrong.map(() => 0), both: first.both.map(() => 0) };
  for (const each of questions) include(total, each, 1);
  const value = meanPhi(total);
  if (value === null) return null;
  const without = questions.flatMap((each) => {
    include(total, each, -1);
    const left = meanPhi(total);
    include(total, each, 1);
    return left ?? [];
  });
  const mean = without.reduce((sum, each) => sum + each, 0) / without.length;
  const squares = without.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { value, standardError: Math.sqrt((squares * (without.length - 1)) / without.length) };
}

function include(total: Sums, { debates, wrong, both }: Sums, times: 1 | -1): void {
  total.debates += times * debates;
  for (const [index, each] of wrong.entries()) total.wrong[index] = (total.wrong[index] ?? 0) + times * each;
  for (const [index, each] of both.entries()) total.both[index] = (total.both[index] ?? 0) + times * each;
}

/** The mean over the pairs for which it is defined. */
function meanPhi({ debates, wrong, both }: Sums): number | null {
  const phis = pairsOf(wrong.length).flatMap(([i, j], index) => {
    const [p, q] = [(wrong[i] ?? 0) / debates, (wrong[j] ?? 0) / debates];
    const variances = p * (1 - p) * q * (1 - q);
    return variances > 0 ? [((both[index] ?? 0) / debates - p * q) / Math.sqrt(variances)] : [];
  });
  return phis.length === 0 ? null : phis.reduce((sum, each) => sum + each, 0) / phis.length;
}

/** Every two of some agents, from 0. */
function pairsOf(agents: number): [number, number][] {
  return Array.from({ length: agents }, (_, i) =>
    Array.from({ length: agents - i - 1 }, (__, step): [number, number] => [i, i + step + 1]),
  ).flat();
}
