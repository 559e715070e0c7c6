/** Pairs of a gold answer and an answer, by kind of answer. */
export type Pairs = Readonly<Record<string, readonly (readonly [gold: string, answer: string])[]>>;
