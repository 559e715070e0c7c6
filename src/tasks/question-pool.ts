import type { LeftOut, Problem } from './problem.ts';

/** A task's questions, apart: those that measure, and those that nights may draw their training questions from. */
export type QuestionPool = {
  readonly heldOut: readonly Problem[];
  /** How many training questions there are. */
  readonly size: number;
  /** All training questions in the seeded order of a cycle, 0 the first; another cycle has another order. */
  readonly inOrder: (cycle: number) => Iterable<Problem>;
  readonly leftOut: readonly LeftOut[];
};
