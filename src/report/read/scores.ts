import type { Outcome } from '../../algorithm/evaluation.ts';
import type { GradedAnswers } from '../../algorithm/measures/answers.ts';
import type { Score } from '../../algorithm/measures/comparison.ts';
import type { Method } from '../../algorithm/methods/method.ts';

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
