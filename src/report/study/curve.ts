import { type Accuracy, accuracy } from '../../algorithm/measures/answers.ts';
import type { Contender } from './contender.ts';
import type { Scores } from './score.ts';

/** A row's accuracy after an iteration. */
export type CurvePoint = Accuracy & {
  readonly iteration: number;
  readonly units: number;
  readonly bySeed: readonly { readonly seed: number; readonly accuracy: number }[];
  /** The standard deviation of the seeds' accuracies; null with one seed. */
  readonly seedSpread: number | null;
};

/** Over the iterations, 0 the base model. Units are what is drawn: the standard error is theirs, and the spread of the seeds stands beside it. */
export function curve({ scores, seeds }: Pick<Contender, 'scores' | 'seeds'>): CurvePoint[] {
  return scores.map((ofIteration, iteration) => {
    const bySeed = seeds.map((seed) => ({ seed, accuracy: accuracy(ofSeed(ofIteration, seed)).accuracy }));
    return {
      iteration,
      units: ofIteration.size,
      ...accuracy([...ofIteration.values()].map(({ score }) => score)),
      bySeed,
      seedSpread: spread(bySeed.map((each) => each.accuracy)),
    };
  });
}

function ofSeed(scores: Scores, seed: number): number[] {
  return [...scores.values()].filter((each) => each.seed === seed).map(({ score }) => score);
}

/** The sample standard deviation, over n - 1. */
function spread(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
