/** How good and how equal are answers, and how far may a share of them be off? Ratios over questions, with standard errors and intervals. */

/** The answers to one question by agent, then by round, as numbers instead of texts (`Outcome` has both). A stopped debate has fewer rounds. */
export type GradedAnswers = {
  /** Whether the answer is right. */
  readonly right: readonly (readonly boolean[])[];
  /** Equal answers have the same number, for all agents and rounds; an answer that could not be parsed has null. */
  readonly classes: readonly (readonly (number | null)[])[];
};

/** The number of rounds of the debate. */
export function roundsOf({ classes }: GradedAnswers): number {
  return classes[0]?.length ?? 0;
}

/** The classes of the answers in a round, 1..M, by agent. */
export function classesInRound({ classes }: GradedAnswers, round: number): (number | null)[] {
  return classes.map((byRound) => byRound[round - 1] ?? null);
}

/** How many agents gave an answer of each class. Answers that could not be parsed are left out. */
export function votesByClass(classes: readonly (number | null)[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const each of classes) if (each !== null) votes.set(each, (votes.get(each) ?? 0) + 1);
  return votes;
}

/** A mean over questions with its standard error, both in 0..1. */
export type Accuracy = { readonly accuracy: number; readonly standardError: number };

/**
 * The share of right answers, from a score for each question. A score is in 0..1: 0 or 1 for one answer, or the mean over the agents'
 * answers, so that the question stays the unit of sampling. The standard error is the scores' standard deviation over sqrt(n); for scores
 * of 0 and 1 that is the paper's sqrt(p(1 - p) / n). Without questions the result is NaN, which JSON writes as null. The order of the
 * scores does not change any digit.
 */
export function accuracy(scores: readonly number[]): Accuracy {
  const count = scores.length;
  // Sorted, because the last digit of a sum depends on the order of its terms.
  const ordered = scores.toSorted((a, b) => a - b);
  const mean = ordered.reduce((sum, score) => sum + score, 0) / count;
  const variance = ordered.reduce((sum, score) => sum + (score - mean) ** 2, 0) / count;
  return { accuracy: mean, standardError: Math.sqrt(variance / count) };
}

/** The 95 % interval of an accuracy: Wilson's, which has a width also where no answer, or every answer, is right. */
export function accuracyInterval({ accuracy: value, standardError }: Accuracy, questions: number): Interval {
  return wilsonInterval({ value, standardError }, questions);
}

/** The number of different answers in a round, 0..N. Answers that could not be parsed do not count. */
export function distinctAnswers(classes: readonly (number | null)[]): number {
  return votesByClass(classes).size;
}

/**
 * The share of a round's answers that agree with the majority (the paper's consensus, 0..1): the votes of the largest class of equal
 * answers over the number of agents. An answer that could not be parsed agrees with no other. A tie has the same share for every winner.
 * 1 means that all agents agree.
 */
export function consensusShare(classes: readonly (number | null)[]): number {
  return Math.max(0, ...votesByClass(classes).values()) / classes.length;
}

/** The entropy of the classes of a round's answers, in bits; 0 when all are equal. Answers that could not be parsed are left out. */
export function voteEntropy(classes: readonly (number | null)[]): number {
  const votes = [...votesByClass(classes).values()];
  const all = votes.reduce((sum, each) => sum + each, 0);
  return votes.reduce((sum, each) => sum + (each / all) * Math.log2(all / each), 0);
}

/** How the last answers agree: see consensusShare and voteEntropy. */
export function lastVotes(answers: GradedAnswers): { readonly agreement: number; readonly entropy: number } {
  const classes = classesInRound(answers, roundsOf(answers));
  return { agreement: consensusShare(classes), entropy: voteEntropy(classes) };
}

/**
 * pass@k (Chen et al., Evaluating Large Language Models Trained on Code, 2021, section 2.1): the probability that at least one of
 * k answers is right, estimated without bias from `answers` answers to a question, of which `right` are right:
 * 1 - C(n - c, k) / C(n, k). Computed as a product, which cannot overflow.
 *
 * @throws RangeError when k is below 1 or above the number of answers
 */
export function passAtK(answers: number, right: number, k: number): number {
  if (k < 1 || k > answers) throw new RangeError(`pass@${k} cannot be computed from ${answers} answers.`);
  let allWrong = 1;
  for (let drawn = 0; drawn < k; drawn++)
    allWrong *= Math.max(0, answers - right - drawn) / (answers - drawn);
  return 1 - allWrong;
}

/**
 * maj@k: the probability that the majority of k answers, drawn without replacement from the answers to a question, is right. A tie is
 * decided at random, as in a debate (`majorityVote`). The result is exact: it counts all ways of drawing, class by class, in time
 * classes x k^3, and draws nothing. With k = the number of answers it is the vote over all of them.
 * (Self-consistency: Wang et al., 2023. Averaged over subsets like pass@k, which uses every answer equally often.)
 *
 * @param classes the class of each answer; null for an answer that could not be parsed, which may be drawn but never wins
 * @param right whether each answer is right; a whole class counts like its first answer
 * @throws RangeError when k is below 1 or above the number of answers
 */
export function majAtK(classes: readonly (number | null)[], right: readonly boolean[], k: number): number {
  if (k < 1 || k > classes.length)
    throw new RangeError(`maj@${k} cannot be computed from ${classes.length} answers.`);
  const votes = votesByClass(classes);
  const unparsable = classes.filter((each) => each === null).length;
  let probability = 0;
  for (const winner of votes.keys()) {
    if (right[classes.indexOf(winner)] !== true) continue;
    probability += winProbability(winner, votes, unparsable, k);
  }
  return probability / choose(classes.length, k);
}

/** The number of ways to draw k answers in which the class wins. A tie counts as 1 / number of leaders. */
function winProbability(
  winner: number,
  votes: ReadonlyMap<number, number>,
  unparsable: number,
  k: number,
): number {
  const others = [...votes].filter(([each]) => each !== winner).map(([, size]) => size);
  const own = votes.get(winner) ?? 0;
  let ways = 0;
  for (let drawn = 1; drawn <= Math.min(own, k); drawn++) {
    for (const [ties, byRest] of otherDraws(others, drawn, k - drawn).entries()) {
      for (const [rest, otherWays] of byRest.entries())
        ways += (choose(own, drawn) * otherWays * choose(unparsable, rest)) / (ties + 1);
    }
  }
  return ways;
}

/**
 * [ties][rest]: the number of ways to draw `room - rest` answers from classes of these sizes, at most `most` from each class, and exactly
 * `most` from `ties` of the classes.
 */
function otherDraws(sizes: readonly number[], most: number, room: number): number[][] {
  const empty = (): number[][] =>
    Array.from({ length: sizes.length + 1 }, () => Array<number>(room + 1).fill(0));
  let counted = empty();
  counted[0] = counted[0]?.with(room, 1) ?? [];
  for (const size of sizes) {
    const next = empty();
    for (const [ties, byRest] of counted.entries()) {
      for (const [rest, ways] of byRest.entries()) {
        if (ways === 0) continue;
        for (let taken = 0; taken <= Math.min(size, most, rest); taken++) {
          const row = next[taken === most ? ties + 1 : ties];
          if (row) row[rest - taken] = (row[rest - taken] ?? 0) + ways * choose(size, taken);
        }
      }
    }
    counted = next;
  }
  return counted;
}

/** C(n, k). Exact below 2^53, and finite up to n = 1029. */
function choose(n: number, k: number): number {
  if (k > n) return 0;
  let ways = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) ways = (ways * (n - i + 1)) / i;
  return Math.round(ways);
}

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
