/** A question with its gold answer, before it is decided what it may be used for. */
export type Problem = { readonly text: string; readonly answer: string };

/** What a kind of task yields: no text twice, neither within nor between the two. */
export type Problems = { readonly train: readonly Problem[]; readonly heldOut: readonly Problem[] };
