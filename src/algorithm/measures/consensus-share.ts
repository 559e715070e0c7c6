import { votesByClass } from './graded-answers.ts';

/**
 * The share of a round's answers that agree with the majority (the paper's consensus, 0..1): the votes of the largest class of equal answers over
 * the number of agents. An answer that could not be parsed agrees with nobody. In a tie the share is the same, whichever class wins. 1 is unanimity.
 */
export function consensusShare(classes: readonly (number | null)[]): number {
  return Math.max(0, ...votesByClass(classes).values()) / classes.length;
}
