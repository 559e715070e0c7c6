/** How large is a share, and how far may it be off? Ratios over questions, with standard errors and intervals. */

/**
 * A sum over questions divided by another, e.g. right answers by all answers, with its standard error over questions. `of` is the
 * divisor: the number of answers (or pairs, or questions) that were counted.
 */
export type Ratio = {
  readonly value: number;
  readonly standardError: number;
  readonly of: number;
  /** How many different questions were counted: the size of the sample. */
  readonly questions: number;
};

export interface RatioOverQuestions {
  /**
   * Adds a question's terms of the numerator and of the denominator. Terms of the same question are added up, e.g. those of several seeds
   * that share questions.
   */
  add(question: string, count: number, of: number): void;
  /** Null while the denominator is 0. */
  result(): Ratio | null;
}

/**
 * R = sum(y) / sum(x), where y and x are the two counts of a question, with the standard error of a ratio of means,
 * sqrt(sum((y - R x)^2)) / sum(x). All answers to one question depend on each other, whichever agent or seed gave them, so the question is
 * the unit of sampling, and not the answer (Cochran, Sampling Techniques, 1977, section 2.11, for a large population). With x = 1 for each
 * question the result is the mean and the standard error of `accuracy`.
 */
export function ratioOverQuestions(): RatioOverQuestions {
  const terms = new Map<string, { y: number; x: number }>();
  return {
    add(question, count, of) {
      const before = terms.get(question);
      if (before === undefined) terms.set(question, { y: count, x: of });
      else {
        before.y += count;
        before.x += of;
      }
    },
    result() {
      // Sorted, because the last digit of a sum depends on the order of its terms.
      const counted = [...terms.values()]
        .filter(({ x }) => x !== 0)
        .toSorted((a, b) => a.y - b.y || a.x - b.x);
      const y = counted.reduce((sum, each) => sum + each.y, 0);
      const x = counted.reduce((sum, each) => sum + each.x, 0);
      if (x === 0) return null;
      const value = y / x;
      const squares = counted.reduce((sum, each) => sum + (each.y - value * each.x) ** 2, 0);
      return { value, standardError: Math.sqrt(squares) / x, of: x, questions: counted.length };
    },
  };
}

/** The ends of an interval, in the unit of what it is about. */
export type Interval = { readonly low: number; readonly high: number };

/** The 97.5 % quantile of the normal distribution. */
const z = 1.959963984540054;

/**
 * Wilson's 95 % interval of a share (Journal of the American Statistical Association 22, 1927). Unlike the share ± 1.96 standard errors it
 * stays within 0..1 and has a width when no answer, or every answer, is right: 0 of 16 is 0 to 19.4 %. The size of the sample is the one at
 * which independent answers would have this standard error, p(1 - p) / SE^2; for one answer a question that is the number of questions.
 * Where the standard error is 0, it is the number of questions.
 *
 * @param share in 0..1, with its standard error over questions
 * @param questions how many different questions there are
 */
export function wilsonInterval(
  { value, standardError }: Pick<Ratio, 'value' | 'standardError'>,
  questions: number,
): Interval {
  if (!(questions > 0)) return { low: 0, high: 1 };
  // Below this a standard error is only the rounding of equal scores.
  const size = standardError > 1e-9 ? (value * (1 - value)) / standardError ** 2 : questions;
  const centre = (value + z ** 2 / (2 * size)) / (1 + z ** 2 / size);
  const half = (z / (1 + z ** 2 / size)) * Math.sqrt((value * (1 - value)) / size + z ** 2 / (4 * size ** 2));
  // At the ends the two terms are equal but for rounding.
  return {
    low: value === 0 ? 0 : Math.max(0, centre - half),
    high: value === 1 ? 1 : Math.min(1, centre + half),
  };
}
