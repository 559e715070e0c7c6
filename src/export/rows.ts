import type { AnswerRules, GoldLabel } from '../algorithm/answer.ts';
import { type AnyExample, chatRow } from '../algorithm/dataset.ts';
import { cutAt, labelDebate, type LabelledDebate, type Labels } from '../algorithm/labelled-debate.ts';
import type { ObjectiveName } from '../algorithm/objectives.ts';
import type { Message } from '../algorithm/agents.ts';
import { agentCount } from '../config/experiment.ts';
import { consensusLabels } from '../config/training-plan.ts';
import { ArtifactMissing } from '../store/errors.ts';
import { readRows, streamRows } from '../store/files/rows.ts';
import { exampleSchema, goldLabelSchema, readDebates } from '../store/records/rows.ts';
import type { ExperimentFiles } from '../store/store.ts';
import type { FinishedIteration } from './finished-iteration.ts';

/** TRL's prompt and completion, OpenAI's chat, TRL's preferences. */
export const datasetFormats = ['trl', 'openai', 'dpo'] as const;
export type DatasetFormat = (typeof datasetFormats)[number];

/** A file of a dataset to be exported. */
export type DatasetFile = {
  /** Without its ending, e.g. `agent-1-critic`. */
  readonly name: string;
  /** 1..N */
  readonly agent: number;
  /** Which objective its rows are for. */
  readonly objective: ObjectiveName;
  readonly rows: () => AsyncIterable<object>;
};

/**
 * The files of an export. What the models learnt from has a file for each agent and role; preferences compare two answers to the question
 * alone, and have a file for each agent.
 */
export function datasetFiles(
  format: DatasetFormat,
  done: FinishedIteration,
  answers: AnswerRules,
): DatasetFile[] {
  const { files, iteration, records, config } = done;
  if (format === 'dpo') {
    return Array.from({ length: agentCount(config) }, (_, index) => ({
      name: `agent-${index + 1}`,
      agent: index + 1,
      objective: 'dpo',
      rows: () => each(labelledDebates(done, answers), (debate) => preferenceRow(index + 1, debate)),
    }));
  }
  const { fineTunes: learners = [], datasets = [] } = records.at(-1) ?? {};
  return learners.map(({ agent, role }) => {
    const rows = () => streamRows(files.dataset(iteration, agent, role), exampleSchema);
    return {
      name: `agent-${agent}-${role}`,
      agent,
      objective:
        datasets.find((each) => each.role === role && each.agents.includes(agent))?.objective ?? 'imitation',
      rows: format === 'trl' ? rows : () => each(rows(), openAiRow),
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

/** A row in the form of OpenAI's fine-tuning API, for its methods `supervised` and `dpo`. Null for an answer that is not wanted: it has no form for it. */
export function openAiRow(row: AnyExample): object | null {
  if ('chosen' in row) {
    const { prompt, chosen, rejected } = row;
    return { input: { messages: prompt }, preferred_output: chosen, non_preferred_output: rejected };
  }
  return 'label' in row && !row.label ? null : chatRow(row);
}

/** A row of a preference dataset as TRL's DPOTrainer takes it, conversational. */
export type PreferenceRow = {
  readonly prompt: readonly Message[];
  readonly chosen: readonly [Message];
  readonly rejected: readonly [Message];
};

/**
 * The preference in an agent's dialogue: asked the question, its corrected last answer is preferred to its own first one. Null unless the
 * first answer was wrong by the label and the last one equals it: a corrected dialogue, of which the critic dataset (section 2.3 of the
 * paper) has a sample. Null also when one of the two answers was cut off.
 *
 * @param agent 1..N
 */
export function preferenceRow(agent: number, labelled: LabelledDebate): PreferenceRow | null {
  const right = labelled.matches[agent - 1] ?? [];
  const dialogue = labelled.dialogues[agent - 1] ?? [];
  const firstAt = dialogue.findIndex(({ role }) => role === 'assistant');
  const [first, last] = [dialogue[firstAt], dialogue.at(-1)];
  const corrected = right.length > 1 && right[0] !== true && right.at(-1) === true;
  if (!corrected || first === undefined || last === undefined) return null;
  if (cutAt(labelled, agent, 0) || cutAt(labelled, agent, -1)) return null;
  return { prompt: dialogue.slice(0, firstAt), chosen: [last], rejected: [first] };
}

/**
 * The iteration's training debates with the labels that its datasets were made by; debates without a label are left out.
 *
 * @throws ArtifactMissing when some debates are missing, ArtifactDamaged
 */
async function* labelledDebates(
  { config, files, iteration, records }: FinishedIteration,
  answers: AnswerRules,
): AsyncGenerator<LabelledDebate> {
  const labels: Labels =
    config.label_source === 'consensus'
      ? { from: 'consensus', weight: 'none', ...consensusLabels(config, iteration) }
      : { from: 'gold', answers: await goldAnswers(files) };
  const folder = files.debates(iteration, 'train');
  let debated = 0;
  for await (const debate of readDebates(folder)) {
    debated++;
    const labelled = await labelDebate(debate, labels, answers);
    if (labelled !== null) yield config.train_on_cut_answers ? { ...labelled, cut: [] } : labelled;
  }
  if (debated !== records.at(-1)?.consensus.questions) throw new ArtifactMissing(folder.where);
}

async function goldAnswers(files: ExperimentFiles): Promise<Map<string, GoldLabel>> {
  return new Map((await readRows(files.goldLabels, goldLabelSchema)).map((row) => [row.questionId, row]));
}
