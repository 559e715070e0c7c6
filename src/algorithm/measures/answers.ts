/**
 * The answers to one question as the measures of debates see them: numbers in place of texts. `Outcome` has both. By agent, then by
 * round; a debate that was stopped early has fewer rounds.
 */
export type GradedAnswers = {
  /** Whether the answer is right. */
  readonly right: readonly (readonly boolean[])[];
  /** Equal answers, whoever gave them and in whichever round, have the same number; what could not be parsed has null. */
  readonly classes: readonly (readonly (number | null)[])[];
};

/** How many rounds the debate had. */
export function roundsOf({ classes }: GradedAnswers): number {
  return classes[0]?.length ?? 0;
}

/** The answers' classes in a round (1 the first), by agent. */
export function classesInRound({ classes }: GradedAnswers, round: number): (number | null)[] {
  return classes.map((byRound) => byRound[round - 1] ?? null);
}

/** How many agents gave each class of answers: the sizes by class, unparsable answers left out. */
export function votesByClass(classes: readonly (number | null)[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const each of classes) if (each !== null) votes.set(each, (votes.get(each) ?? 0) + 1);
  return votes;
}

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

/** How many different answers a round has: classes of equal ones, 0 to the number of agents. What could not be parsed is none. */
export function distinctAnswers(classes: readonly (number | null)[]): number {
  return votesByClass(classes).size;
}

/**
 * The share of a round's answers that agree with the majority (the paper's consensus, 0..1): the votes of the largest class of equal answers over
 * the number of agents. An answer that could not be parsed agrees with nobody. In a tie the share is the same, whichever class wins. 1 is unanimity.
 */
export function consensusShare(classes: readonly (number | null)[]): number {
  return Math.max(0, ...votesByClass(classes).values()) / classes.length;
}

/**
 * pass@k (Chen et al., Evaluating Large Language Models Trained on Code, 2021, section 2.1): the probability that at least one of
 * k answers is right, estimated without bias from `answers` answers to a question of which `right` are right:
 * 1 - C(n - c, k) / C(n, k), as a product, which cannot overflow. A k below 1 or above the number of answers is a RangeError.
 */
export function passAtK(answers: number, right: number, k: number): number {
  if (k < 1 || k > answers) throw new RangeError(`pass@${k} cannot be told from ${answers} answers.`);
  let allWrong = 1;
  for (let drawn = 0; drawn < k; drawn++)
    allWrong *= Math.max(0, answers - right - drawn) / (answers - drawn);
  return 1 - allWrong;
}

/**
 * maj@k: the probability that the majority of k answers, drawn without replacement from those given to a question, is right; a tie
 * is settled by chance, as in a debate (`majorityVote`). Exact: nothing is drawn, all ways of drawing are counted class by class, in time
 * classes x k^3, so that a seeded estimate is never needed. With k = the number of answers it is the vote over all of them.
 * (Self-consistency: Wang et al., 2023. Averaged over subsets as pass@k is, which uses each answer as often as any other.)
 *
 * @param classes each answer's class; null could not be parsed, and is drawn but never wins
 * @param right for each answer whether it is right; all of a class are what the first of it is
 * A k below 1 or above the number of answers is a RangeError.
 */
export function majAtK(classes: readonly (number | null)[], right: readonly boolean[], k: number): number {
  if (k < 1 || k > classes.length)
    throw new RangeError(`maj@${k} cannot be told from ${classes.length} answers.`);
  const votes = votesByClass(classes);
  const unparsable = classes.filter((each) => each === null).length;
  let probability = 0;
  for (const winner of votes.keys()) {
    if (right[classes.indexOf(winner)] !== true) continue;
    probability += winProbability(winner, votes, unparsable, k);
  }
  return probability / choose(classes.length, k);
}

/** In how many of the ways to draw k the class wins, ties counted as 1 / number of leaders. */
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

/** [ties][rest]: in how many ways classes of these sizes give `room - rest` answers, none more than `most`, and `ties` of them just `most`. */
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

/** C(n, k); exact below 2^53, and finite up to n = 1029. */
function choose(n: number, k: number): number {
  if (k > n) return 0;
  let ways = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) ways = (ways * (n - i + 1)) / i;
  return Math.round(ways);
}
