import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { projectRoot } from '../config/installation.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';

/** Folders below one root; nothing is made until something is written. All paths are absolute. */
export type Store = {
  readonly root: string;
  /** The folder of an experiment. @throws ZodError when it is no experiment's name, so that nothing outside is touched */
  experiment(name: string): string;
  /** The folder of a series of nights. @throws ZodError when it is no series' name */
  series(name: string): string;
  /**
   * A journal of answers that experiments share. @throws ZodError when `name` could be a path
   *
   * @param shard which questions of which iteration
   */
  sharedAnswers(name: string, seed: string, shard: string): string;
  /** The folder of a study. @throws ZodError when it is no study's name */
  study(name: string): string;
  /** The folder of a finished fine-tune, by its content address. */
  model(key: string): string;
  /** Where the fine-tune with that content address keeps its checkpoints. */
  checkpoints(key: string): string;
  /** What was asked for when that fine-tune was begun, so that it can be made again. */
  modelRequest(key: string): string;
  /** Logs of the engines. */
  readonly logs: string;
};

/** The store at `root`; by default where COLLOQUY_STORE says, else `runs/` in the project. */
export function openStore(root: string = process.env['COLLOQUY_STORE'] || join(projectRoot, 'runs')): Store {
  const absolute = resolve(root);
  return {
    root: absolute,
    experiment: (name) => join(absolute, experimentNameSchema.parse(name)),
    series: (name) => join(absolute, 'series', seriesNameSchema.parse(name)),
    sharedAnswers: (name, seed, shard) =>
      join(absolute, 'answers', seriesNameSchema.parse(name), seed, `${shard}.journal.jsonl`),
    study: (name) => join(absolute, 'studies', studyNameSchema.parse(name)),
    model: (key) => join(absolute, 'models', key),
    checkpoints: (key) => join(absolute, 'models', `${key}.checkpoints`),
    modelRequest: (key) => join(absolute, 'models', `${key}.request.json`),
    logs: join(absolute, 'logs'),
  };
}

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

/** The name of the debate browser's page, beside report.html. */
export const debateBrowserFile = 'debates.html';

/** Where an experiment keeps what, as absolute paths. A name is a function of what it holds, so that work done is found. */
export function experimentFiles(store: Store, experiment: string) {
  return experimentFilesIn(store.experiment(experiment));
}

/** The same in the folder of an experiment. */
export function experimentFilesIn(folder: string) {
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
    /** The folder of the debates, a file for each shard of questions. */
    debates: (iteration: number, split: Split) => within(iteration, folderOf(split)),
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
    debateBrowser: join(folder, debateBrowserFile),
  };
}

/** The iterations that an experiment's folder has anything of, ascending; none when there is no such folder. */
export async function iterationsIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .flatMap((name) => /^iteration-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

function folderOf(split: Split): string {
  if (split === 'train') return 'debates';
  return split === 'heldout' ? 'evaluation' : split;
}

export type ExperimentFiles = ReturnType<typeof experimentFilesIn>;

/** Where a study keeps what, as absolute paths. Its experiments are in folders of their own, as any others. */
export function studyFiles(store: Store, study: string) {
  const folder = store.study(study);
  return {
    folder,
    /** Which experiments it has. */
    study: join(folder, 'study.json'),
    /** Every figure of the report. Beside it each of its tables as NAME.csv, NAME.json, NAME.md and NAME.tex. */
    results: join(folder, 'results.json'),
    report: join(folder, 'report.html'),
  };
}
export type StudyFiles = ReturnType<typeof studyFiles>;
