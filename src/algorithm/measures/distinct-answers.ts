import { votesByClass } from './graded-answers.ts';

/** How many different answers a round has: classes of equal ones, 0 to the number of agents. What could not be parsed is none. */
export function distinctAnswers(classes: readonly (number | null)[]): number {
  return votesByClass(classes).size;
}
