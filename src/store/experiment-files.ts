import { join } from 'node:path';
import type { Role } from '../algorithm/agents.ts';

/** Where everything of an experiment lies in its folder. A name is a function of what it holds, so that work done is found. */
export type ExperimentFiles = {
  readonly config: string;
  readonly train: string;
  /** Gold answers of the training questions, apart from them: only `label_source: gold` opens it. */
  readonly trainGold: string;
  readonly heldOut: string;
  /** Debates of one shard, 0 the first; `evaluation` has the held-out questions. */
  shard(iteration: number, phase: DebatePhase, shard: number): string;
  /** The answers of one shard as they come. */
  shardJournal(iteration: number, phase: DebatePhase, shard: number): string;
  dataset(iteration: number, agent: number, role: Role): string;
  /** Any other document of an iteration, e.g. `evaluation-result`. */
  document(iteration: number, name: string): string;
  readonly result: string;
  readonly evaluation: string;
  readonly report: string;
};
export type DebatePhase = 'debates' | 'evaluation';

/** The files of the experiment in `folder` (absolute). */
export function experimentFiles(folder: string): ExperimentFiles {
  const within = (iteration: number, ...below: string[]) => join(folder, `iteration-${iteration}`, ...below);
  const shardName = (shard: number) => `shard-${String(shard).padStart(3, '0')}`;
  return {
    config: join(folder, 'config.json'),
    train: join(folder, 'questions', 'train.jsonl'),
    trainGold: join(folder, 'questions', 'train-gold.jsonl'),
    heldOut: join(folder, 'questions', 'heldout.jsonl'),
    shard: (iteration, phase, shard) => within(iteration, phase, `${shardName(shard)}.jsonl`),
    shardJournal: (iteration, phase, shard) => within(iteration, phase, `${shardName(shard)}.journal.jsonl`),
    dataset: (iteration, agent, role) => within(iteration, 'datasets', `agent-${agent}-${role}.jsonl`),
    document: (iteration, name) => within(iteration, `${name}.json`),
    result: join(folder, 'result.json'),
    evaluation: join(folder, 'evaluation.jsonl'),
    report: join(folder, 'report.html'),
  };
}
