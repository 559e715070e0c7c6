import type { AnswerEquality } from '../algorithm/consensus.ts';
import { datasetRowSchema } from '../store/records/rows.ts';
import { streamRows } from '../store/files/rows.ts';
import { chatRow } from './chat-row.ts';
import type { FinishedIteration } from './finished-iteration.ts';
import { labelledDebates } from './labelled-debates.ts';
import { preferenceRow } from './preference-row.ts';

/** TRL's prompt and completion, OpenAI's chat, TRL's preferences. */
export const datasetFormats = ['trl', 'openai', 'dpo'] as const;
export type DatasetFormat = (typeof datasetFormats)[number];

/** A file of a dataset to be exported. */
export type DatasetFile = {
  /** Without its ending, e.g. `agent-1-critic`. */
  readonly name: string;
  readonly rows: () => AsyncIterable<object>;
};

/**
 * Which rows an export has: for what an agent's models learnt from, a file for each agent and role; for preferences, which compare
 * two answers to the question alone, one for each agent.
 */
export function datasetFiles(
  format: DatasetFormat,
  done: FinishedIteration,
  equal: AnswerEquality,
): DatasetFile[] {
  const { files, iteration, records, config } = done;
  if (format === 'dpo') {
    return Array.from({ length: config.agents }, (_, index) => ({
      name: `agent-${index + 1}`,
      rows: () => each(labelledDebates(done, equal), (debate) => preferenceRow(index + 1, debate)),
    }));
  }
  const learners = records.at(-1)?.fineTunes ?? [];
  return learners.map(({ agent, role }) => {
    const rows = () => streamRows(files.dataset(iteration, agent, role), datasetRowSchema);
    return {
      name: `agent-${agent}-${role}`,
      rows: format === 'trl' ? rows : () => each(rows(), chatRow),
    };
  });
}

async function* each<Item>(
  items: AsyncIterable<Item>,
  rowOf: (item: Item) => object | null,
): AsyncGenerator<object> {
  for await (const item of items) {
    const row = rowOf(item);
    if (row !== null) yield row;
  }
}
