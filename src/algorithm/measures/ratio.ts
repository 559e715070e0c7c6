/**
 * A sum over questions divided by another, e.g. right answers by answers, with its standard error over questions. `of` is the
 * divisor: how many answers (or pairs, or questions) were counted.
 */
export type Ratio = { readonly value: number; readonly standardError: number; readonly of: number };

export interface RatioOverQuestions {
  /** One question: what it adds to the sum above and to the sum below. */
  add(count: number, of: number): void;
  /** Null as long as nothing was counted, that is, while the sum below is 0. */
  result(): Ratio | null;
}

/**
 * R = sum(y) / sum(x), y and x being a question's two counts, with the standard error of a ratio of means,
 * sqrt(sum((y - R x)^2)) / sum(x): the answers to one question depend on each other, so the question is the unit of sampling, and
 * not the answer (Cochran, Sampling Techniques, 1977, section 2.11, for a large population). With x = 1 for each question it is
 * the mean and the standard error of `accuracy`. Five sums are all that is held, however many questions there are.
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
      // Rounding can leave a little less than nothing.
      const squares = Math.max(0, yy - 2 * value * xy + value * value * xx);
      return { value, standardError: Math.sqrt(squares) / x, of: x };
    },
  };
}
