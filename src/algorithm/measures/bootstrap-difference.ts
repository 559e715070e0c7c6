import { type DrawKey, draws } from '../random.ts';

/** How much better a method is than a baseline, with an interval. All in the scores' unit, for accuracies in 0..1. */
export type DifferenceInterval = {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
};

type Bootstrap = {
  /** Where the draws come from. */
  readonly key: DrawKey;
  /** B: how often the questions are drawn anew. 10,000 leave the ends of a 95 % interval uncertain by about 2 % of its length. */
  readonly resamples: number;
  /** The share of the drawn differences that the interval holds, e.g. 0.95. */
  readonly level: number;
};

/**
 * The difference of two means over the same questions, with its percentile bootstrap interval (Efron and Tibshirani, An
 * Introduction to the Bootstrap, 1993, section 13.3): questions are drawn with replacement, each with both methods' scores,
 * and the interval's ends are quantiles of the differences so drawn, linear between neighbours as numpy's are.
 * Both lists are about the same questions in the same order. Lists of different lengths, or none at all, are a RangeError.
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

/** Of sorted values; between two neighbours in proportion (type 7 of Hyndman and Fan). */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? NaN;
  const high = sorted[below + 1] ?? low;
  return low + (place - below) * (high - low);
}
