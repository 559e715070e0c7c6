/** A question with its gold answer, before it is decided what it may be used for. */
export type Problem = { readonly text: string; readonly answer: string };

/** What a kind of task yields: no text twice, neither within nor between the two. */
export type Problems = {
  readonly train: readonly Problem[];
  readonly heldOut: readonly Problem[];
  readonly leftOut: readonly LeftOut[];
};

/** Questions that a task has and an experiment must not or cannot ask: told, so that nobody wonders where they are. */
export type LeftOut = {
  /** A clause, e.g. `training questions that MATH-500 has too`. */
  readonly what: string;
  readonly count: number;
  /** The first few, shortened. */
  readonly examples: readonly string[];
};
