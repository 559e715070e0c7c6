import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { readDebates } from '../report/read-debates.ts';
import { ArtifactDamaged } from '../store/artifact-damaged.ts';
import { ArtifactMissing } from '../store/artifact-missing.ts';
import type { DebateRow } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles } from '../store/experiment-files.ts';
import { heldOutQuestionSchema } from '../store/question-rows.ts';
import { findRows, readRows, writeRows } from '../store/rows.ts';
import { configOf } from './config-of.ts';
import type { Dependencies } from './dependencies.ts';

type AdoptRequest = {
  readonly experiment: string;
  /** Where the starting agents were evaluated. */
  readonly from: { readonly experiment: string; readonly iteration: number };
};

/**
 * Takes over the held-out debates of the night that left these agents, so that they need not be held again: the debates of
 * iteration 0 are then found finished. They are copies, as one flipped bit must not reach both, and count no tokens.
 *
 * @returns how many shards there are now; fewer than there should be when those debates were held with other settings, or are
 * damaged or gone. The rest are then debated.
 */
export async function adoptEvaluation(
  { experiment, from }: AdoptRequest,
  { store }: Dependencies,
): Promise<number> {
  const files = experimentFiles(store, experiment);
  const config = await configOf(files);
  const source = experimentFiles(store, from.experiment);
  const questions = await readRows(files.questions('heldout'), heldOutQuestionSchema);
  let shard = 0;
  try {
    if (!debatesAlike(config, await configOf(source))) return 0;
    for await (const rows of inShards(heldOutDebates(source, from.iteration), config.shard_size)) {
      const asked = questions.slice(shard * config.shard_size, (shard + 1) * config.shard_size);
      if (
        rows.length !== asked.length ||
        rows.some(({ question }, index) => question.id !== asked[index]?.id)
      )
        return shard;
      const path = files.shard(0, 'heldout', shard);
      if ((await findRows(path)) === null) await writeRows(path, rows);
      shard += 1;
    }
  } catch (error) {
    if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
  }
  return shard;
}

/** All that a debate of the same agents on the same question depends on. */
const settings = [
  'rounds',
  'summarize',
  'max_others',
  'stop_when_unanimous',
  'prompts',
  'sampling',
  'model',
] as const;

function debatesAlike(a: ExperimentConfig, b: ExperimentConfig): boolean {
  return settings.every((setting) => isDeepStrictEqual(a[setting], b[setting]));
}

async function* heldOutDebates(files: ExperimentFiles, iteration: number): AsyncGenerator<DebateRow> {
  for await (const row of readDebates(join(files.folder, `iteration-${iteration}`, 'evaluation'))) {
    yield { ...row, tokens: { prompt: 0, completion: 0, firstRound: 0 } };
  }
}

async function* inShards(rows: AsyncIterable<DebateRow>, size: number): AsyncGenerator<DebateRow[]> {
  let shard: DebateRow[] = [];
  for await (const row of rows) {
    shard.push(row);
    if (shard.length < size) continue;
    yield shard;
    shard = [];
  }
  if (shard.length > 0) yield shard;
}
