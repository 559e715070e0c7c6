/** What became of answers from one round to the next. Counts of answers. */
export type Flips = {
  readonly rightToRight: number;
  readonly rightToWrong: number;
  readonly wrongToRight: number;
  readonly wrongToWrong: number;
};

/**
 * The flips between a round and the one before it: each agent's answer is right or wrong in either. No answer is a wrong one.
 *
 * @param right by agent, then by round
 * @param round the later of the two, 2..M
 */
export function flips(right: readonly (readonly boolean[])[], round: number): Flips {
  const count = (before: boolean, after: boolean): number =>
    right.filter((byRound) => byRound[round - 2] === before && byRound[round - 1] === after).length;
  return {
    rightToRight: count(true, true),
    rightToWrong: count(true, false),
    wrongToRight: count(false, true),
    wrongToWrong: count(false, false),
  };
}
