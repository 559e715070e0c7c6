import { join } from 'node:path';
import type { Store } from './open-store.ts';

/**
 * What is debated: the training questions; the held-out ones, that measure; the held-out ones again, for the majority at equal tokens
 * (`vote`); and the held-out ones of another task, for zero-shot transfer.
 */
export type Split = 'train' | Measured;
export type Measured = 'heldout' | 'vote' | `transfer-${string}`;

/** Names a shard of questions within an experiment, and within those that share answers. */
export function shardName(iteration: number, split: Split, shard: number): string {
  return `i${iteration}-${split}-s${String(shard).padStart(3, '0')}`;
}

/** Where an experiment keeps what, as absolute paths. A name is a function of what it holds, so that work done is found. */
export function experimentFiles(store: Store, experiment: string) {
  const folder = store.experiment(experiment);
  const within = (iteration: number, ...below: string[]) => join(folder, `iteration-${iteration}`, ...below);
  const shardFile = (iteration: number, split: Split, shard: number, ending: string) =>
    within(iteration, folderOf(split), `shard-${String(shard).padStart(3, '0')}.${ending}`);
  return {
    folder,
    config: join(folder, 'config.json'),
    questions: (split: Split) => join(folder, 'questions', `${split === 'vote' ? 'heldout' : split}.jsonl`),
    /** Gold answers of the training questions, apart from them: only `label_source: gold` opens this file. */
    goldLabels: join(folder, 'questions', 'train-gold.jsonl'),
    /** Which questions of the task are not asked, and why. */
    leftOut: join(folder, 'questions', 'left-out.json'),
    /** The debates of a shard of questions, 0 the first. */
    shard: (iteration: number, split: Split, shard: number) => shardFile(iteration, split, shard, 'jsonl'),
    /** The answers of a shard as they came. */
    shardJournal: (iteration: number, split: Split, shard: number) =>
      shardFile(iteration, split, shard, 'journal.jsonl'),
    /** Which attempt debates the shard. */
    shardClaim: (iteration: number, split: Split, shard: number) =>
      shardFile(iteration, split, shard, 'claim'),
    dataset: (iteration: number, agent: number, role: string) =>
      within(iteration, 'datasets', `agent-${agent}-${role}.jsonl`),
    /** What came of each held-out question. */
    outcomes: (iteration: number, split: Measured = 'heldout') =>
      within(iteration, split === 'heldout' ? 'outcomes.jsonl' : `outcomes-${split}.jsonl`),
    evaluation: (iteration: number, split: Measured = 'heldout') =>
      within(iteration, split === 'heldout' ? 'evaluation.json' : `evaluation-${split}.json`),
    /** How diverse the agents are; its scores as they came, and which attempt asks for them. */
    diversity: (iteration: number) => within(iteration, 'diversity.json'),
    diversityJournal: (iteration: number) => within(iteration, 'diversity.journal.jsonl'),
    diversityClaim: (iteration: number) => within(iteration, 'diversity.claim'),
    record: (iteration: number) => within(iteration, 'record.json'),
    /** Of a night of a series: what it was planned to be, and beside it the entry that it made in the series' ledger. */
    night: join(folder, 'night'),
    nightPlan: join(folder, 'night', 'plan.json'),
    nightEntry: join(folder, 'night', 'night.json'),
    result: join(folder, 'result.json'),
    allOutcomes: join(folder, 'evaluation.jsonl'),
    report: join(folder, 'report.html'),
  };
}
function folderOf(split: Split): string {
  if (split === 'train') return 'debates';
  return split === 'heldout' ? 'evaluation' : split;
}

export type ExperimentFiles = ReturnType<typeof experimentFiles>;
