/** Do the agents make the same mistakes? A vote helps only where they do not. */
import { classesInRound, type GradedAnswers } from './answers.ts';
import { type Ratio, ratioOverQuestions } from './ratio.ts';

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
