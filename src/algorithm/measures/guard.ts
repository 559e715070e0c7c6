/** How small a loss can the guard of a series detect with a given number of held-out questions? */

/** How the guard of a series of nights (`carry_over.max_drop`) acts on chance alone, and on a real loss. */
export type GuardPower = {
  /** One question as a share of all, 0..1: the smallest difference that there can be. */
  readonly oneQuestion: number;
  /** The standard deviation of the difference of two accuracies when nothing has changed. */
  readonly deviation: number;
  /** The probability that a night that has changed nothing is rejected. */
  readonly falseRejection: number;
  /** The real loss of accuracy, 0..1, that is rejected in four of five nights. */
  readonly detectable: number;
};

/** The share of questions of which one of two evaluations is right and the other wrong, when nothing has changed. */
const discordant = 0.2;
/** The quantile of the normal distribution at 0.8. */
const fourOfFive = 0.8416;

/**
 * The guard compares the accuracies before and after a night on the same n questions. When nothing has changed and a fifth of the questions
 * is answered otherwise by chance, the difference has the mean 0 and the variance 0.2 / n (McNemar's counts, normal approximation).
 *
 * @param questions n, at least 1
 * @param maxDrop the loss that the guard allows, 0..1
 */
export function guardPower(questions: number, maxDrop: number): GuardPower {
  const deviation = Math.sqrt(discordant / questions);
  // The guard rejects more than max_drop, and accuracies are multiples of one question: this is the first loss that it rejects.
  const rejected = (Math.floor(maxDrop * questions + 1e-9) + 1) / questions;
  const continuity = 0.5 / questions;
  return {
    oneQuestion: 1 / questions,
    deviation,
    falseRejection: upperTail((rejected - continuity) / deviation),
    detectable: rejected - continuity + fourOfFive * deviation,
  };
}

/** P(Z > z) of the standard normal distribution. */
function upperTail(z: number): number {
  return 0.5 * complementaryError(z / Math.SQRT2);
}

/** erfc, to within 1.2e-7 (Numerical Recipes in C, 2nd edition, section 6.2). */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const coefficients = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
    1.00002368, -1.26551223,
  ];
  const polynomial = coefficients.reduce((sum, coefficient) => sum * t + coefficient, 0);
  const tail = t * Math.exp(-x * x + polynomial);
  return x >= 0 ? tail : 2 - tail;
}
