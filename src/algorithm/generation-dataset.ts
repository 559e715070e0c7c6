import { type Example, exampleOf } from './example.ts';
import type { LabelledDebate } from './labelled-debate.ts';
import { byQuestion } from './question-order.ts';

/**
 * The generation dataset of an agent (section 2.3 of the paper): the question and the agent's round-1 response, for every
 * debate in which that first answer equals the label. Rows are in the order of question ids, whatever order debates ended in.
 *
 * @param agent 1..N
 */
export function generationDataset(agent: number, debates: readonly LabelledDebate[]): Example[] {
  return debates
    .toSorted(byQuestion)
    .filter((debate) => debate.matches[agent - 1]?.[0] === true)
    .map((debate) => exampleOf(debate.dialogues[agent - 1]?.slice(0, 2) ?? []))
    .filter((example) => example !== null);
}
