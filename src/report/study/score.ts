import type { Method } from '../../algorithm/methods/method.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';

/** What a method made of one question in the experiment of one seed. */
export type Score = {
  readonly seed: number;
  /** Stands for the question's text: equal for equal texts, in whichever experiment. */
  readonly text: string;
  /** The method's own figure, 0..1: of a method that answers once, the mean over the agents' answers. */
  readonly score: number;
  /** Whether the answer that it gives is right; of a method that answers once, agent 1's. */
  readonly right: boolean;
};

/** By unit: a question of one seed's experiment. The same question has the same unit whatever the method. */
export type Scores = ReadonlyMap<string, Score>;

/** The figure of an outcome that is a method's own. */
export function scoreOf(answer: Method['answer'], outcome: Outcome): Pick<Score, 'score' | 'right'> {
  const { single } = outcome;
  if (answer !== 'single') {
    const right = outcome[answer].correct;
    return { score: Number(right), right };
  }
  return {
    score: single.filter(({ correct }) => correct).length / single.length,
    right: single[0]?.correct === true,
  };
}
