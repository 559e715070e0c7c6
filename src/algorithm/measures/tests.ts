/** Is a difference more than chance? Standard errors, paired tests and their corrections. */
import { type DrawKey, draws } from '../random.ts';

/**
 * A sum over questions divided by another, e.g. right answers by all answers, with its standard error over questions. `of` is the
 * divisor: the number of answers (or pairs, or questions) that were counted.
 */
export type Ratio = { readonly value: number; readonly standardError: number; readonly of: number };

export interface RatioOverQuestions {
  /** Adds a question: its terms of the numerator and of the denominator. */
  add(count: number, of: number): void;
  /** Null while the denominator is 0. */
  result(): Ratio | null;
}

/**
 * R = sum(y) / sum(x), where y and x are the two counts of a question, with the standard error of a ratio of means,
 * sqrt(sum((y - R x)^2)) / sum(x). The answers to one question depend on each other, so the question is the unit of sampling, and
 * not the answer (Cochran, Sampling Techniques, 1977, section 2.11, for a large population). With x = 1 for each question the result is
 * the mean and the standard error of `accuracy`. For any number of questions it keeps only five sums.
 */
export function ratioOverQuestions(): RatioOverQuestions {
  let [y, x, yy, xy, xx] = [0, 0, 0, 0, 0];
  return {
    add(count, of) {
      y += count;
      x += of;
      yy += count * count;
      xy += count * of;
      xx += of * of;
    },
    result() {
      if (x === 0) return null;
      const value = y / x;
      // Rounding can make the sum slightly negative.
      const squares = Math.max(0, yy - 2 * value * xy + value * value * xx);
      return { value, standardError: Math.sqrt(squares) / x, of: x };
    },
  };
}

/** Two methods on the same questions: how often only the first was right, how often only the second, and the p-value of that. */
export type PairedTest = { readonly wins: number; readonly losses: number; readonly pValue: number };

/**
 * McNemar's exact test, two-sided. On the questions where exactly one of the two is right, both are equally likely under the null
 * hypothesis, so the number of wins is binomial with p = 1/2. Both lists are about the same questions in the same order.
 *
 * @throws RangeError when the lists have different lengths
 */
export function pairedTest(method: readonly boolean[], baseline: readonly boolean[]): PairedTest {
  if (method.length !== baseline.length) {
    throw new RangeError(
      `A paired test compares two methods on the same questions, but one list has ${method.length} and the other ${baseline.length}.`,
    );
  }
  const wins = method.filter((right, index) => right && !baseline[index]).length;
  const losses = method.filter((right, index) => !right && baseline[index] === true).length;
  return { wins, losses, pValue: Math.min(1, 2 * binomialTail(Math.min(wins, losses), wins + losses)) };
}

/** P(X <= k) for X binomial with n trials and p = 1/2. In logarithms, because C(n, k) overflows from n = 1030 on. */
function binomialTail(k: number, n: number): number {
  let logTerm = -n * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i);
    tail += Math.exp(logTerm);
  }
  return tail;
}

/** How much better a method is than a baseline, with an interval. In the unit of the scores; accuracies are in 0..1. */
export type DifferenceInterval = {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
};

type Bootstrap = {
  /** The key of the draws. */
  readonly key: DrawKey;
  /** B: how often the questions are drawn. With 10,000 the ends of a 95 % interval are uncertain by about 2 % of its length. */
  readonly resamples: number;
  /** The share of the drawn differences that lie in the interval, e.g. 0.95. */
  readonly level: number;
};

/**
 * The difference of two means over the same questions, with its percentile bootstrap interval (Efron and Tibshirani, An
 * Introduction to the Bootstrap, 1993, section 13.3): questions are drawn with replacement, each with both methods' scores,
 * and the ends of the interval are quantiles of the drawn differences, linear between neighbours as in numpy.
 * Both lists are about the same questions in the same order.
 *
 * @throws RangeError when the lists are empty or have different lengths
 */
export function bootstrapDifference(
  method: readonly number[],
  baseline: readonly number[],
  { key, resamples, level }: Bootstrap,
): DifferenceInterval {
  if (method.length !== baseline.length || method.length === 0) {
    throw new RangeError(
      `A paired bootstrap compares two methods on the same questions, but one list has ${method.length} and the other ${baseline.length}.`,
    );
  }
  const differences = method.map((score, index) => score - (baseline[index] ?? 0));
  const count = differences.length;
  const draw = draws(key);
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < count; drawn++) sum += differences[draw(count)] ?? 0;
    return sum / count;
  }).toSorted();
  return {
    difference: differences.reduce((sum, each) => sum + each, 0) / count,
    low: quantile(means, (1 - level) / 2),
    high: quantile(means, (1 + level) / 2),
  };
}

/** A quantile of sorted values, linear between two neighbours (type 7 of Hyndman and Fan). */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? NaN;
  const high = sorted[below + 1] ?? low;
  return low + (place - below) * (high - low);
}

/**
 * Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979) of the p-values of one table: the adjusted p-values, in the same
 * order. If differences with an adjusted p-value of at most 5 % are called significant, the probability of any mistake in the table is at
 * most 5 %, also when the tests depend on each other. The i-th smallest of m, counted from 0, is multiplied by m - i; an adjusted value is
 * never less than that of a smaller p-value, and never more than 1.
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = [...pValues];
  const order = pValues.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p);
  let least = 0;
  for (const [place, { p, index }] of order.entries()) {
    least = Math.min(1, Math.max(least, (pValues.length - place) * p));
    adjusted[index] = least;
  }
  return adjusted;
}
