import { distilledModel } from '../../algorithm/agents.ts';
import type { AnswerRules } from '../../algorithm/answer.ts';
import { type AnyExample, type DatasetPart, type DatasetRow, rowExample } from '../../algorithm/dataset.ts';
import { labelDebate, type Labels, type Match, withSamples } from '../../algorithm/labelled-debate.ts';
import { methods } from '../../algorithm/methods.ts';
import {
  distilledDataset,
  type DistilledDataset,
  type LearntDataset,
  learntDatasets,
  type ObjectiveName,
} from '../../algorithm/objectives.ts';
import { agentOf, agentsOf } from '../../config/agents.ts';
import { templateVariables } from '../../config/server-contract.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { consensusLabels, learningSettings } from '../../config/training-plan.ts';
import { ArtifactMissing } from '../../store/errors.ts';
import type { Place } from '../../store/blobs.ts';
import { readPage, streamRows, writeRows } from '../../store/files/rows.ts';
import type { ArtifactRef } from '../../store/files/sealed.ts';
import { type DebateRow, debateRowSchema, goldLabelSchema } from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles } from '../../store/store.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies } from '../activity.ts';

/** A model's dataset, by reference, and how it was mixed. */
export type BuiltDataset = {
  readonly role: string;
  readonly rows: ArtifactRef;
  readonly parts: Readonly<Record<string, DatasetPart>>;
  /** See Dataset. Absent in the histories of experiments that an older version began. */
  readonly cut?: number;
  /** By which the model learns from it; absent for imitation. */
  readonly objective?: ObjectiveName;
};

type DatasetsRequest = {
  readonly experiment: string;
  readonly iteration: number;
  /** Who shares the models, 1..N each: one agent, or all. The files are named after the first. */
  readonly agents: readonly number[];
  /** How many shards of training debates there are. */
  readonly shards: number;
};

/** Makes the datasets of the models that some agents share, or of one agent, from the iteration's debates, as the method says. */
export async function buildDatasets(
  { experiment, iteration, agents, shards }: DatasetsRequest,
  { store, tasks }: Dependencies,
): Promise<BuiltDataset[]> {
  const files = experimentFiles(store, experiment);
  const config = await configInForce(files, iteration);
  const debates = await labelledDebates(files, iteration, shards, config, tasks.open(config.task).answers);
  const { learning } = methods[config.method];
  const datasets =
    learning === undefined
      ? {}
      : learntDatasets(learning, agents, debates.matches, learningSettings(config, iteration));
  const built: BuiltDataset[] = [];
  for (const [role, dataset] of Object.entries(datasets))
    built.push(
      await write(role, dataset, files.dataset(iteration, agents[0] ?? 0, role), debates, ({ agent }) =>
        templateVariables(agentOf(config, agent).sampling),
      ),
    );
  return built;
}

/** The dataset of the one model that the group is distilled into. */
export type BuiltDistilled = BuiltDataset &
  Pick<DistilledDataset, 'agents' | 'agreed'> & { readonly labelled: number };

/** Makes the dataset of the one model that learns from the group's debates of an iteration. It is asked as agent 1 is. */
export async function buildDistilled(
  { experiment, iteration, shards }: Omit<DatasetsRequest, 'agents'>,
  { store, tasks }: Dependencies,
): Promise<BuiltDistilled> {
  const files = experimentFiles(store, experiment);
  const config = await configInForce(files, iteration);
  const debates = await labelledDebates(files, iteration, shards, config, tasks.open(config.task).answers);
  const group = agentsOf(config).map((_, index) => index + 1);
  const distill = config.distill ?? { from: 'debate', objective: 'imitation' };
  const dataset = distilledDataset(distill, group, debates.matches, learningSettings(config, iteration));
  const { agents, agreed } = dataset;
  const variables = templateVariables(agentOf(config, 1).sampling);
  const place = files.dataset(iteration, 1, distilledModel);
  const built = await write(distilledModel, dataset, place, debates, () => variables);
  return { ...built, agents, agreed, labelled: debates.matches.length };
}

/** The debates of an iteration that have a label. */
type LabelledDebates = {
  readonly matches: readonly Match[];
  readonly shardOf: ReadonlyMap<string, number>;
  readonly debatesOf: (shard: number) => AsyncIterable<TrainingDebate>;
};

async function labelledDebates(
  files: ExperimentFiles,
  iteration: number,
  shards: number,
  config: ExperimentConfig,
  answers: AnswerRules,
): Promise<LabelledDebates> {
  const debatesOf = (shard: number) => trainingDebates(files, iteration, shard, config);
  // Which questions a dataset has depends on all of them, so what decides it is gathered first; the texts are read again when their
  // rows are written.
  const matches: Match[] = [];
  const shardOf = new Map<string, number>();
  for (let shard = 0; shard < shards; shard++) {
    const labels = await labelsOf(shard, config, files, iteration);
    for await (const debate of debatesOf(shard)) {
      const match = await matchOf(debate, labels, answers, config);
      if (match === null) continue;
      matches.push(match);
      shardOf.set(match.questionId, shard);
    }
  }
  return { matches, shardOf, debatesOf };
}

/** With which variables a row is trained: those of its answer. */
type VariablesOf = (row: DatasetRow) => ReturnType<typeof templateVariables>;

async function write(
  role: string,
  { rows, parts, cut, objective }: LearntDataset,
  place: Place,
  debates: LabelledDebates,
  variablesOf: VariablesOf,
): Promise<BuiltDataset> {
  const written = await writeRows(place, examplesOf(rows, debates, variablesOf));
  if (objective === 'imitation') return { role, rows: written, parts, cut };
  // Pairs of two equal texts have no gradient and are left out. They count as available, not as used.
  const equal = rows.length - written.rows;
  const used = Object.entries(parts).map(
    ([name, part]) =>
      [name, { ...part, used: part.used - (equal * part.used) / Math.max(1, rows.length) }] as const,
  );
  return { role, rows: written, parts: Object.fromEntries(used), cut, objective };
}

/** A debate of a training question, with the question's samples where there are any. */
export type TrainingDebate = { readonly debate: DebateRow; readonly sampled?: DebateRow };

/** Those of a shard in their order, one in memory at a time. @throws ArtifactMissing, ArtifactDamaged */
export async function* trainingDebates(
  files: ExperimentFiles,
  iteration: number,
  shard: number,
  { samples }: Pick<ExperimentConfig, 'samples'>,
): AsyncGenerator<TrainingDebate> {
  const debates = streamRows(files.shard(iteration, 'train', shard), debateRowSchema);
  if (samples === undefined) {
    for await (const debate of debates) yield { debate };
    return;
  }
  const place = files.shard(iteration, 'samples', shard);
  const more = streamRows(place, debateRowSchema)[Symbol.asyncIterator]();
  try {
    for await (const debate of debates) {
      const { value: sampled } = (await more.next()) as IteratorResult<DebateRow, undefined>;
      if (sampled?.question.id !== debate.question.id)
        throw new ArtifactMissing(`${place.where} (${debate.question.id})`);
      yield { debate, sampled };
    }
  } finally {
    await more.return?.(undefined);
  }
}

/** What decides which datasets a debate goes into; null when it has no label. */
export async function matchOf(
  { debate, sampled }: TrainingDebate,
  labels: Labels,
  rules: Pick<AnswerRules, 'correct' | 'equal'>,
  { train_on_cut_answers: learnsFromCut }: Pick<ExperimentConfig, 'train_on_cut_answers'>,
): Promise<Match | null> {
  const labelled = await labelDebate(debate, labels, rules, sampled);
  if (labelled === null) return null;
  const { questionId, matches, margin } = labelled;
  const cut = learnsFromCut ? [] : labelled.cut;
  return {
    questionId,
    matches,
    cut,
    ...(margin === undefined ? {} : { margin }),
    ...(sampled === undefined ? {} : { agents: debate.answers.length }),
  };
}

/** What the shard's debates are labelled by. */
async function labelsOf(
  shard: number,
  config: ExperimentConfig,
  files: ExperimentFiles,
  iteration: number,
): Promise<Labels> {
  if (config.label_source === 'consensus')
    return { from: 'consensus', weight: config.label_weight, ...consensusLabels(config, iteration) };
  const page = await readPage(files.goldLabels, goldLabelSchema, shard, config.shard_size);
  return { from: 'gold', answers: new Map(page.map((row) => [row.questionId, row])) };
}

/**
 * The texts of rows in their order, which is that of the shards: each shard is read once, a debate at a time. Rows are trained with the
 * template with which they were answered.
 */
async function* examplesOf(
  rows: readonly DatasetRow[],
  { shardOf, debatesOf }: LabelledDebates,
  variablesOf: VariablesOf,
): AsyncGenerator<AnyExample> {
  for (let next = 0; next < rows.length;) {
    const shard = shardOf.get(rows[next]?.questionId ?? '');
    const first = next;
    while (next < rows.length && shardOf.get(rows[next]?.questionId ?? '') === shard) next++;
    if (shard === undefined) continue;
    const ofShard = rows.slice(first, next);
    const byQuestion = new Map<string, DatasetRow[]>();
    for (const row of ofShard)
      byQuestion.set(row.questionId, [...(byQuestion.get(row.questionId) ?? []), row]);
    const examples = new Map<DatasetRow, AnyExample>();
    for await (const { debate, sampled } of debatesOf(shard)) {
      for (const row of byQuestion.get(debate.question.id) ?? []) {
        const example = rowExample(row, withSamples(debate, sampled));
        if (example !== null) examples.set(row, example);
      }
    }
    for (const row of ofShard) {
      const example = examples.get(row);
      if (example === undefined) continue;
      yield { ...example, ...variablesOf(row) };
    }
  }
}
