/** How much better is one method than another, on the questions that both answered, and how small a loss does a series' guard see? */
import { ratioOverQuestions } from './answers.ts';
import { bootstrapDifference, type DifferenceInterval, type PairedTest, signFlipTest } from './tests.ts';

/** What a method's answer to a question scored, exactly: `right` of `of` answers. Both are whole numbers. */
export type Score = { readonly right: number; readonly of: number };

/** The scores of two methods for the same question in the same experiment, or with the same seed. */
export type ScorePair = { readonly question: string; readonly first: Score; readonly second: Score };

/**
 * The first method less the second. Difference, interval, standard error and p-value are all about one quantity: the mean difference of
 * scores. The question is the unit of sampling, with all of its answers and seeds; it counts as often as it was asked.
 */
export type PairedDifference = DifferenceInterval &
  PairedTest & {
    /** How many different questions there are. With several seeds that share questions they are fewer than the pairs. */
    readonly questions: number;
    /** How many pairs there are. */
    readonly units: number;
    /** The standard error of the difference, over questions. */
    readonly standardError: number;
    /**
     * The smallest true difference that a sample like this one shows four times in five, in 0..1: (1.96 + 0.84) standard errors of the
     * difference, for a two-sided test at 5 % without correction. At least 6 questions, as fewer wins without a loss have p above 0.05.
     */
    readonly detectable: number;
  };

/**
 * How many times questions are resampled. With 4,000 the ends of a 95 % interval are uncertain by about 3 % of its length; a study has
 * about a hundred intervals.
 */
export const resamples = 4_000;

/** Compares two methods by question: questions of equal key are one question, whichever seed asked it. Null without pairs. */
export function comparePaired(pairs: readonly ScorePair[]): PairedDifference | null {
  if (pairs.length === 0) return null;
  const step = pairs.reduce(
    (all, { first, second }) => commonMultiple(commonMultiple(all, first.of), second.of),
    1,
  );
  const questions = new Map<string, { steps: number; pairs: number }>();
  for (const { question, first, second } of pairs) {
    const sum = questions.get(question) ?? { steps: 0, pairs: 0 };
    // Divided first: both quotients are whole.
    const steps = first.right * (step / first.of) - second.right * (step / second.of);
    questions.set(question, { steps: sum.steps + steps, pairs: sum.pairs + 1 });
  }
  const ratio = ratioOverQuestions();
  for (const [question, sum] of questions) ratio.add(question, sum.steps / step, sum.pairs);
  const standardError = ratio.result()?.standardError ?? 0;
  const sums = [...questions.values()];
  return {
    questions: questions.size,
    units: pairs.length,
    standardError,
    detectable: Math.min(1, Math.max((1.96 + 0.84) * standardError, fewestShown / questions.size)),
    ...bootstrapDifference(
      sums.map(({ steps, pairs: weight }) => ({ difference: steps / step, weight })),
      { resamples, level: 0.95 },
    ),
    ...signFlipTest(sums.map(({ steps }) => steps)),
  };
}

/** 5 wins and no loss have p = 0.0625, 6 have 0.031. */
const fewestShown = 6;

function commonMultiple(a: number, b: number): number {
  let [greater, less] = [a, b];
  while (less > 0) [greater, less] = [less, greater % less];
  return (a / greater) * b;
}

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
