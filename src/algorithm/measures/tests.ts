/** Is a difference between two methods more than chance? Paired by question. */
import { type DrawKey, draws } from '../random.ts';

/** Two methods on the same questions: on how many the first is better, on how many worse, and the p-value of the difference. */
export type PairedTest = { readonly wins: number; readonly losses: number; readonly pValue: number };

/**
 * The sign-flip permutation test of the differences of question scores, two-sided (Good, Permutation, Parametric and Bootstrap Tests of
 * Hypotheses, 2005, section 3.2.1). If the two methods are equally good, a question's difference is as likely to have the other sign, in all
 * its answers and seeds together. The p-value is the share of the 2^n ways of choosing signs whose sum is at least as far from 0 as the
 * observed one. With one answer a question, right or wrong, this is McNemar's exact test.
 *
 * The p-value is exact for any number of questions and draws nothing: the distribution of the sum is computed, one binomial distribution for
 * each size of a difference. It takes at most n times the sum of all sizes steps.
 *
 * @param differences of a question's scores, in whole steps (e.g. right answers), so that equal sums are equal in every digit
 * @throws RangeError for a difference that is not a whole number
 */
export function signFlipTest(differences: readonly number[]): PairedTest {
  const steps = differences.find((each) => !Number.isSafeInteger(each));
  if (steps !== undefined)
    throw new RangeError(`A sign-flip test takes differences in whole steps, but one is ${steps}.`);
  return {
    wins: differences.filter((each) => each > 0).length,
    losses: differences.filter((each) => each < 0).length,
    pValue: signFlipPValue(differences),
  };
}

function signFlipPValue(differences: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const each of differences)
    if (each !== 0) sizes.set(Math.abs(each), (sizes.get(Math.abs(each)) ?? 0) + 1);
  const observed = Math.abs(differences.reduce((sum, each) => sum + each, 0));
  // [b]: the probability that the positive differences add up to b; the sum of all is then 2 b - total.
  let positive = Float64Array.of(1);
  for (const [size, count] of sizes) positive = withSignsOf(positive, size, count);
  const total = positive.length - 1;
  let [within, beyond] = [0, 0];
  for (let sum = 0; sum <= total; sum++) {
    if (Math.abs(2 * sum - total) < observed) within += positive[sum] ?? 0;
    else beyond += positive[sum] ?? 0;
  }
  // The smaller of the two is the more exact one. So p is exactly 1 where no choice of signs is nearer to 0.
  return within < beyond ? 1 - within : beyond;
}

/** The distribution of a sum after `count` differences of a size were added, each with probability 1/2. */
function withSignsOf(before: Float64Array, size: number, count: number): Float64Array<ArrayBuffer> {
  const chosen = binomial(count);
  const after = new Float64Array(before.length + size * count);
  for (let sum = 0; sum < before.length; sum++) {
    const probability = before[sum] ?? 0;
    if (probability === 0) continue;
    for (let positive = 0; positive <= count; positive++) {
      const at = sum + size * positive;
      after[at] = (after[at] ?? 0) + probability * (chosen[positive] ?? 0);
    }
  }
  return after;
}

/** P(X = k) for X binomial with n trials and p = 1/2, by k. */
function binomial(n: number): Float64Array {
  const probabilities = new Float64Array(n + 1);
  // C(n, k) is finite up to n = 1029, and exact below 2^53; beyond, logarithms are exact enough.
  const direct = n <= 1000;
  let [ways, logarithm] = [1, -n * Math.LN2];
  for (let k = 0; 2 * k <= n; k++) {
    if (k > 0) {
      ways = (ways * (n - k + 1)) / k;
      logarithm += Math.log((n - k + 1) / k);
    }
    const probability = direct ? ways * 2 ** -n : Math.exp(logarithm);
    probabilities[k] = probability;
    probabilities[n - k] = probability;
  }
  return probabilities;
}

/**
 * McNemar's exact test, two-sided, of two methods that answer each question once. Both lists are about the same questions in the same order.
 *
 * @throws RangeError when the lists have different lengths
 */
export function pairedTest(method: readonly boolean[], baseline: readonly boolean[]): PairedTest {
  if (method.length !== baseline.length) {
    throw new RangeError(
      `A paired test compares two methods on the same questions, but one list has ${method.length} and the other ${baseline.length}.`,
    );
  }
  return signFlipTest(method.map((right, index) => Number(right) - Number(baseline[index])));
}

/** How much better a method is than a baseline, with an interval. In the unit of the scores; accuracies are in 0..1. */
export type DifferenceInterval = {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
};

/** The sum of a question's differences, over as many answers or seeds as its weight says. */
export type QuestionDifference = { readonly difference: number; readonly weight: number };

type Bootstrap = {
  /** B: how often the questions are drawn. With 10,000 the ends of a 95 % interval are uncertain by about 2 % of its length. */
  readonly resamples: number;
  /** The share of the drawn differences that lie in the interval, e.g. 0.95. */
  readonly level: number;
};

/** The same for every comparison, so that equal comparisons have equal intervals. */
const bootstrapKey: DrawKey = { seed: 0, iteration: 0, purpose: 'bootstrap of questions' };

/**
 * The difference of two means over the same questions, with its percentile bootstrap interval (Efron and Tibshirani, An
 * Introduction to the Bootstrap, 1993, section 13.3): questions are drawn with replacement, each with all of its answers by both methods,
 * and the ends of the interval are quantiles of the drawn differences, linear between neighbours as in numpy. The interval depends on the
 * differences alone: not on their order, nor on what is compared; with the methods exchanged it is mirrored.
 *
 * @throws RangeError when there is no question
 */
export function bootstrapDifference(
  questions: readonly QuestionDifference[],
  { resamples, level }: Bootstrap,
): DifferenceInterval {
  if (questions.length === 0) throw new RangeError('A paired bootstrap needs at least one question.');
  const ordered = inOrder(questions);
  const exchanged = inOrder(
    questions.map(({ difference, weight }) => ({ difference: 0 - difference, weight })),
  );
  const order = orderOf(ordered, exchanged);
  const { difference, low, high } = drawnInterval(order > 0 ? exchanged : ordered, { resamples, level });
  // Subtracted from 0, since -0 is not 0.
  if (order > 0) return { difference: 0 - difference, low: 0 - high, high: 0 - low };
  return order < 0
    ? { difference, low, high }
    : { difference: 0, low: 0 - (high - low) / 2, high: (high - low) / 2 };
}

function inOrder(questions: readonly QuestionDifference[]): QuestionDifference[] {
  return questions.toSorted((a, b) => a.difference - b.difference || a.weight - b.weight);
}

/** Negative or positive as the first list is before or after the other one; 0 when they are equal. */
function orderOf(one: readonly QuestionDifference[], other: readonly QuestionDifference[]): number {
  for (const [index, { difference, weight }] of one.entries()) {
    const against = other[index] ?? { difference, weight };
    const order = difference - against.difference || weight - against.weight;
    if (order !== 0) return order;
  }
  return 0;
}

function drawnInterval(questions: readonly QuestionDifference[], { resamples, level }: Bootstrap) {
  const differences = Float64Array.from(questions, ({ difference }) => difference);
  const weights = Float64Array.from(questions, ({ weight }) => weight);
  const draw = draws(bootstrapKey);
  const count = questions.length;
  const means = Float64Array.from({ length: resamples }, () => {
    let [sum, weight] = [0, 0];
    for (let drawn = 0; drawn < count; drawn++) {
      const question = draw(count);
      sum += differences[question] ?? 0;
      weight += weights[question] ?? 0;
    }
    return sum / weight;
  }).toSorted();
  const total = (values: Float64Array) => values.reduce((sum, each) => sum + each, 0);
  return {
    difference: total(differences) / total(weights),
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
