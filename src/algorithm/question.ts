/**
 * What an agent is asked. It deliberately has no answer: whatever becomes training data is made from questions,
 * so a gold answer cannot reach a dataset by accident (section 2.2 of the paper: no labels are used).
 */
export type Question = {
  /** Unique within the experiment and stable over iterations, e.g. `train-00017`. */
  readonly id: string;
  readonly text: string;
};

/** A question that is used to measure, never to train: the only kind that carries its gold answer. */
export type HeldOutQuestion = Question & { readonly answer: string };

/** The gold answer of a training question. Only `label_source: gold` (STaR) ever reads these. */
export type GoldLabel = { readonly questionId: string; readonly answer: string };

/** Sorts by question id (code units): one order for every worker and every order of completion. */
export function byQuestion(a: { readonly questionId: string }, b: { readonly questionId: string }): number {
  return a.questionId < b.questionId ? -1 : a.questionId > b.questionId ? 1 : 0;
}
