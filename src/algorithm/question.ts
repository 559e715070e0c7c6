/** What is a question, and who knows its answer? */

/**
 * A question for the agents. It has no answer on purpose: all training data are made from questions, so a gold answer cannot get into a
 * dataset by accident (section 2.2 of the paper: no labels are used).
 */
export type Question = {
  /** Unique within the experiment and stable over iterations, e.g. `train-00017`. */
  readonly id: string;
  readonly text: string;
};

/** The answers to a question that are right: the gold answer, and others that are accepted as well. */
export type Gold = { readonly answer: string; readonly accepted?: readonly string[] | undefined };

/** A question that is used to measure, never to train. Only this kind has its gold answer. */
export type HeldOutQuestion = Question & Gold;

/** The gold answer of a training question. Only `label_source: gold` (STaR) learns from it; measures judge labels by it. */
export type GoldLabel = { readonly questionId: string } & Gold;

/** Of an object with more in it, what is right. */
export function goldOf({ answer, accepted }: Gold): Gold {
  return accepted === undefined ? { answer } : { answer, accepted };
}

/** Sorts by question id (code units). The order is the same on every worker, in whatever order the work is finished. */
export function byQuestion(a: { readonly questionId: string }, b: { readonly questionId: string }): number {
  return a.questionId < b.questionId ? -1 : a.questionId > b.questionId ? 1 : 0;
}

/** Sorts by question id (code units), then by agent. */
export function byQuestionAndAgent(
  a: { readonly questionId: string; readonly agent: number },
  b: { readonly questionId: string; readonly agent: number },
): number {
  return byQuestion(a, b) || a.agent - b.agent;
}
