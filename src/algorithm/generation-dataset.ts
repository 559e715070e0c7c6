import { byQuestionAndAgent, type Dataset } from './dataset.ts';
import type { Match } from './labelled-debate.ts';

/**
 * The generation dataset (section 2.3 of the paper): the first answers of these agents that equal the label.
 *
 * @param agents who share the model, 1..N each: in multiagent finetuning one agent, in the single-agent baselines all of them
 */
export function generationDataset(agents: readonly number[], debates: readonly Match[]): Dataset {
  const rows = debates.flatMap(({ questionId, matches }) =>
    agents
      .filter((agent) => matches[agent - 1]?.[0] === true)
      .map((agent) => ({ questionId, agent, completion: 'first answer' as const })),
  );
  return { rows: rows.toSorted(byQuestionAndAgent), parts: {} };
}
