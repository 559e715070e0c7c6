/** A mean over questions with its standard error, both in 0..1. */
export type Accuracy = { readonly accuracy: number; readonly standardError: number };

/**
 * The share of right answers. Each score is in 0..1: 0 or 1 for one answer, or the mean over the agents' answers to the same
 * question, so that the question stays the unit of sampling. The standard error is the scores' standard deviation over sqrt(n);
 * for scores of 0 and 1 that is the paper's sqrt(p(1 - p) / n). No questions give NaN, which JSON writes as null.
 * The order of the scores changes nothing, not even the last digit.
 */
export function accuracy(scores: readonly number[]): Accuracy {
  const count = scores.length;
  // Sums of thirds depend on the order of the addends.
  const ordered = scores.toSorted((a, b) => a - b);
  const mean = ordered.reduce((sum, score) => sum + score, 0) / count;
  const variance = ordered.reduce((sum, score) => sum + (score - mean) ** 2, 0) / count;
  return { accuracy: mean, standardError: Math.sqrt(variance / count) };
}
