import type { Role } from '../algorithm/agents.ts';
import { criticDataset, criticExample, type DatasetPart } from '../algorithm/critic-dataset.ts';
import type { Example } from '../algorithm/example.ts';
import { generationDataset, generationExample } from '../algorithm/generation-dataset.ts';
import {
  labelByConsensus,
  labelByGold,
  type LabelledDebate,
  type Match,
} from '../algorithm/labelled-debate.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { ArtifactRef } from '../store/artifact-ref.ts';
import { type DebateRow, debateRowSchema } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles } from '../store/experiment-files.ts';
import { goldLabelSchema } from '../store/question-rows.ts';
import { readPage } from '../store/row-pages.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Grader } from '../tasks/graders/grader.ts';
import { configOf } from './config-of.ts';
import type { Dependencies } from './dependencies.ts';

/** The datasets of one agent, by reference, and how its critic dataset was mixed. */
export type DatasetsOfAgent = {
  readonly agent: number;
  readonly generation: ArtifactRef;
  readonly critic: ArtifactRef;
  readonly corrected: DatasetPart;
  readonly kept: DatasetPart;
};

type DatasetsRequest = {
  readonly experiment: string;
  readonly iteration: number;
  /** 1..N */
  readonly agent: number;
  /** How many shards of training debates there are. */
  readonly shards: number;
};

/** Makes an agent's generation and critic datasets from the iteration's debates (section 2.3 of the paper). */
export async function buildDatasets(
  { experiment, iteration, agent, shards }: DatasetsRequest,
  { store, grader }: Dependencies,
): Promise<DatasetsOfAgent> {
  const files = experimentFiles(store, experiment);
  const config = await configOf(files);
  const shardDebates = (shard: number) => readRows(files.shard(iteration, 'train', shard), debateRowSchema);
  // Which questions a dataset has depends on all of them, so what decides it is gathered first; the texts are read again, a shard
  // at a time, when their rows are written.
  const matches: Match[] = [];
  const shardOf = new Map<string, number>();
  for (let shard = 0; shard < shards; shard++) {
    for (const label of await labels(await shardDebates(shard), shard, config, files, grader)) {
      matches.push({ questionId: label.questionId, matches: label.matches });
      shardOf.set(label.questionId, shard);
    }
  }
  const critic = criticDataset(agent, matches, {
    seed: config.seed,
    iteration,
    criticWeight: config.critic_weight,
  });
  const write = (role: Role, questions: readonly string[], example: typeof criticExample) =>
    writeRows(
      files.dataset(iteration, agent, role),
      rowsOf(questions, shardOf, shardDebates, (debate) => example(agent, debate)),
    );
  return {
    agent,
    generation: await write('generation', generationDataset(agent, matches), generationExample),
    critic: await write('critic', critic.questions, criticExample),
    corrected: critic.corrected,
    kept: critic.kept,
  };
}

async function labels(
  debates: readonly DebateRow[],
  shard: number,
  config: ExperimentConfig,
  files: ExperimentFiles,
  grader: Grader,
): Promise<LabelledDebate[]> {
  if (config.label_source === 'consensus') {
    return debates
      .map((debate) => labelByConsensus(debate, config.min_votes))
      .filter((each) => each !== null);
  }
  const page = await readPage(files.goldLabels, goldLabelSchema, shard, config.shard_size);
  const gold = new Map(page.map((row) => [row.questionId, row]));
  const equal = (a: string, b: string) => grader.equal(a, b);
  const labelled: LabelledDebate[] = [];
  for (const debate of debates) {
    const answer = gold.get(debate.question.id);
    if (answer) labelled.push(await labelByGold(debate, answer, equal));
  }
  return labelled;
}

/** The rows of these questions in their order, which is that of the shards: each shard is read once. */
async function* rowsOf(
  questions: readonly string[],
  shardOf: ReadonlyMap<string, number>,
  read: (shard: number) => Promise<DebateRow[]>,
  example: (debate: DebateRow) => Example | null,
): AsyncGenerator<Example> {
  let debates: DebateRow[] = [];
  let from: number | undefined;
  for (const id of questions) {
    const shard = shardOf.get(id);
    if (shard === undefined) continue;
    if (shard !== from) debates = await read(shard);
    from = shard;
    const debate = debates.find(({ question }) => question.id === id);
    const row = debate === undefined ? null : example(debate);
    if (row !== null) yield row;
  }
}
