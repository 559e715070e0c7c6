import { votesByClass } from './graded-answers.ts';

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
