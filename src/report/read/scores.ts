import type { Outcome } from '../../algorithm/evaluation.ts';
import { type GradedAnswers, votesByClass } from '../../algorithm/measures/answers.ts';
import type { Score } from '../../algorithm/measures/comparison.ts';
import { draw } from '../../algorithm/random.ts';
import type { Method } from '../../algorithm/methods.ts';

/** How a method answered one question in the experiment of one seed: its own figure, counted in answers. */
export type SeedScore = Score & {
  readonly seed: number;
  /** The question's key (see questionKey): equal texts are one question, in every experiment and with every seed. */
  readonly question: string;
};

/** By unit: a question in the experiment of one seed. The same question has the same unit in every method. */
export type Scores = ReadonlyMap<string, SeedScore>;

/** The answers to a question, without texts. */
export type AnsweredQuestion = { readonly question: string; readonly answers: GradedAnswers };

/** The score of the method's own figure: of all answers of a method that answers once, else of its vote. */
export function scoreOf(answer: Method['answer'], { single, ...votes }: Outcome): Score {
  if (answer !== 'single') return { right: Number(votes[answer].correct), of: 1 };
  return { right: single.filter(({ correct }) => correct).length, of: single.length };
}

/** The score of a vote among the first `count` answers; a tie is settled by a draw, as in a debate. */
export function scoreOfFewer(
  { right, classes }: GradedAnswers,
  count: number,
  seed: number,
  unit: string,
): Score {
  const firsts = classes.slice(0, count).map(([first = null]) => first);
  const votes = votesByClass(firsts);
  const most = Math.max(0, ...votes.values());
  const leaders = [...votes].filter(([, size]) => size === most).map(([each]) => each);
  if (leaders.length === 0) return { right: 0, of: 1 };
  const key = { seed, iteration: 0, purpose: 'vote among fewer', question: unit };
  const winner = leaders[leaders.length === 1 ? 0 : draw(key, leaders.length)] ?? null;
  return { right: Number(right[firsts.indexOf(winner)]?.[0] === true), of: 1 };
}

/** Keeps one object for all equal answers: a study has a few dozen patterns of answers to hundreds of thousands of questions. */
export function sharedAnswers(): (outcome: GradedAnswers) => GradedAnswers {
  const known = new Map<string, GradedAnswers>();
  return ({ right, classes }) => {
    const pattern = JSON.stringify([right, classes]);
    const found = known.get(pattern) ?? { right, classes };
    known.set(pattern, found);
    return found;
  };
}
