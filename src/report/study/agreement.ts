import type { Accuracy } from '../../algorithm/measures/answers.ts';
import type { PublishedFigure } from './published.ts';

/** Our figure beside the paper's. */
export type Agreement = {
  readonly published: PublishedFigure;
  /** Ours less theirs, 0..1. */
  readonly difference: number;
  /** How far they may be apart: 1.96 standard errors of the difference. */
  readonly within: number;
  readonly agrees: boolean;
};

/**
 * Whether our figure and the paper's can be samples of one and the same: their difference is at most 1.96 times its standard error, the
 * two being independent. The paper's error is the binomial one of its questions, as some of those that it prints are smaller than that.
 */
export function agreement(own: Accuracy, published: PublishedFigure): Agreement {
  const { accuracy, questions } = published;
  const within = 1.96 * Math.hypot(own.standardError, Math.sqrt((accuracy * (1 - accuracy)) / questions));
  const difference = own.accuracy - accuracy;
  return { published, difference, within, agrees: Math.abs(difference) <= within };
}
