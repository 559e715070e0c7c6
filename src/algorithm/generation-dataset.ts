import { type Example, exampleOf } from './example.ts';
import type { LabelledDebate, Match } from './labelled-debate.ts';
import { byQuestion } from './question-order.ts';

/**
 * The generation dataset of an agent (section 2.3 of the paper), as the ids of its questions: those in which the agent's first answer
 * equals the label. In the order of ids, whatever order debates ended in. Each gives the row of `generationExample`.
 *
 * @param agent 1..N
 */
export function generationDataset(agent: number, debates: readonly Match[]): string[] {
  return debates
    .toSorted(byQuestion)
    .filter((debate) => debate.matches[agent - 1]?.[0] === true)
    .map(({ questionId }) => questionId);
}

/** The question and the agent's round-1 response; null for an agent that took no part. */
export function generationExample(
  agent: number,
  { dialogues }: Pick<LabelledDebate, 'dialogues'>,
): Example | null {
  return exampleOf(dialogues[agent - 1]?.slice(0, 2) ?? []);
}
