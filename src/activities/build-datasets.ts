import { criticDataset, type DatasetPart } from '../algorithm/critic-dataset.ts';
import { generationDataset } from '../algorithm/generation-dataset.ts';
import { labelByConsensus, labelByGold, type LabelledDebate } from '../algorithm/labelled-debate.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { ArtifactRef } from '../store/artifact-ref.ts';
import { type DebateRow, debateRowSchema } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles } from '../store/experiment-files.ts';
import { goldLabelSchema } from '../store/question-rows.ts';
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
  const debates: DebateRow[] = [];
  for (let shard = 0; shard < shards; shard++) {
    debates.push(...(await readRows(files.shard(iteration, 'train', shard), debateRowSchema)));
  }
  const labelled = await label(debates, config, files, grader);
  const critic = criticDataset(agent, labelled, {
    seed: config.seed,
    iteration,
    criticWeight: config.critic_weight,
  });
  return {
    agent,
    generation: await writeRows(
      files.dataset(iteration, agent, 'generation'),
      generationDataset(agent, labelled),
    ),
    critic: await writeRows(files.dataset(iteration, agent, 'critic'), critic.examples),
    corrected: critic.corrected,
    kept: critic.kept,
  };
}

async function label(
  debates: readonly DebateRow[],
  config: ExperimentConfig,
  files: ExperimentFiles,
  grader: Grader,
): Promise<LabelledDebate[]> {
  if (config.label_source === 'consensus') {
    return debates
      .map((debate) => labelByConsensus(debate, config.min_votes))
      .filter((each) => each !== null);
  }
  const gold = new Map(
    (await readRows(files.goldLabels, goldLabelSchema)).map((row) => [row.questionId, row]),
  );
  const equal = (a: string, b: string) => grader.equal(a, b);
  const labelled: LabelledDebate[] = [];
  for (const debate of debates) {
    const answer = gold.get(debate.question.id);
    if (answer) labelled.push(await labelByGold(debate, answer, equal));
  }
  return labelled;
}
