/** Where in a store is it, and which store is it? No other module makes the names of the store's files and folders. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { distilledModel } from '../algorithm/agents.ts';
import { ownFolder } from '../config/installation.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { fileBlobs } from './blobs-file.ts';
import { openBucket } from './blobs-s3.ts';
import { below, type Blobs, type Place, placeIn } from './blobs.ts';
import { NotVisibleYet, OtherVersion } from './errors.ts';
import type { JournalPlace } from './files/take-over.ts';

/** Everything durable: what experiments leave, and from what they continue. Folders are made at the first write. */
export type Store = {
  readonly blobs: Blobs;
  /** Where it is, in words for messages. */
  readonly root: string;
  /**
   * The absolute path of this worker's own files: journals, checkpoints, logs, Temporal's database, copies of what is in a bucket. A store
   * of files has them in its own folder, so that workers that share it share the journals.
   */
  readonly local: string;
  /** Tries whether this worker can use the store. @throws S3Refused, S3Unreachable, S3StoreUnsafe */
  check(): Promise<void>;
  /** Logs of workers and engines: a local folder. */
  readonly logs: string;
  /** The file or folder that a reference names. */
  place(name: string): Place;
  /** The folders of an experiment, a series of nights and a study. @throws ZodError when the name is not valid, so that no path leads out of the store */
  experiment(name: string): Place;
  series(name: string): Place;
  study(name: string): Place;
  /** The folder of a finished fine-tune, by its content address. */
  model(key: string): Place;
  /** The request with which a fine-tune was begun, so that the model can be made again. */
  modelRequest(key: string): Place;
  /** The jobs of a fine-tune at a server that trains: those that are over. */
  hostedJobs(key: string): Place;
  /** The manifest of a model whose files were removed (`keep: last`). */
  prunedModel(key: string): Place;
  /** Where the trainer keeps the checkpoints of a fine-tune: a local folder. */
  checkpoints(key: string): string;
  /** A journal of answers that experiments share, of a shard as `shardName` names it. @throws ZodError when `name` is not valid */
  sharedAnswers(name: string, seed: string, shard: string): JournalPlace;
  /** The journal of a step: a local file, and with a bucket also the place of its segments there. */
  journal(name: string): JournalPlace;
};

/**
 * Opens the store at `root`: a folder, or `s3://BUCKET/PREFIX`. Default: COLLOQUY_STORE, or `runs/` in the project; for a package, in the
 * current folder. Nothing is read or asked for before it is needed. @param blobs where the bytes are kept, instead of there
 * @throws InvalidS3Address, InvalidS3Setting
 */
export function openStore(
  root: string = process.env['COLLOQUY_STORE'] || join(ownFolder(), 'runs'),
  blobs?: Blobs,
): Store {
  const bucket = openBucket(root);
  if (bucket === null) return storeIn(resolve(root), blobs ?? fileBlobs(root));
  return { ...storeIn(bucket.local, blobs ?? bucket.blobs, true), root: bucket.root, check: bucket.check };
}

/** @param shared whether journals have to be brought to other hosts, because the local folder is this host's alone */
function storeIn(local: string, blobs: Blobs, shared = false): Store {
  const place = (...parts: string[]) => placeIn(blobs, ...parts);
  const journal = (name: string): JournalPlace => ({
    path: join(local, ...`${name}.journal.jsonl`.split('/')),
    segments: shared ? place(`${name}.journal`) : null,
  });
  return {
    blobs,
    root: blobs.where(''),
    local,
    check: async () => undefined,
    logs: join(local, 'logs'),
    place: (name) => place(name),
    experiment: (name) => place(experimentNameSchema.parse(name)),
    series: (name) => place('series', seriesNameSchema.parse(name)),
    study: (name) => place('studies', studyNameSchema.parse(name)),
    model: (key) => place('models', key),
    modelRequest: (key) => place('models', `${key}.request.json`),
    hostedJobs: (key) => place('models', `${key}.jobs.json`),
    prunedModel: (key) => place('models', `${key}.pruned.json`),
    checkpoints: (key) => join(local, 'models', `${key}.checkpoints`),
    sharedAnswers: (name, ...parts) => journal(['answers', seriesNameSchema.parse(name), ...parts].join('/')),
    journal,
  };
}

/**
 * Which questions a step asks, and for what. `train`: the training questions; `samples`: these again, for more first answers. `heldout`: the held-out
 * questions; `vote` and `distilled`: these again, for the majority at equal tokens and for the distilled model. `validation`: the validation
 * questions. `transfer-NAME`: the held-out questions of another task (zero-shot).
 */
export type QuestionSet = 'train' | 'samples' | MeasuredSet;
export type MeasuredSet = 'heldout' | 'vote' | 'distilled' | 'validation' | `transfer-${string}`;

/** The name of a shard of questions, within an experiment and within the experiments that share answers. */
export function shardName(iteration: number, set: QuestionSet, shard: number): string {
  return `i${iteration}-${set}-s${numbered(shard)}`;
}

/** The name of the page with all held-out debates, which is in the same folder as the report. */
export const debateBrowserFile = 'debates.html';

/** The files of an experiment. A file's name depends only on what the file is, so that finished work is found again. */
export function experimentFiles(store: Store, experiment: string) {
  const folder = store.experiment(experiment);
  const iterationFolder = (iteration: number) => below(folder, `iteration-${iteration}`);
  const within = (iteration: number, ...parts: string[]) => below(iterationFolder(iteration), ...parts);
  const shardFile = (iteration: number, set: QuestionSet, shard: number, ending = '') =>
    within(iteration, folderOf(set), `shard-${numbered(shard)}${ending}`);
  return {
    folder,
    config: below(folder, 'config.json'),
    /** What its debates depend on beside the config: the hashes of the base model and of the user's own files. */
    begunWith: below(folder, 'begun-with.json'),
    /** Copies of the two, because nothing could make them again. */
    copyOf: {
      config: below(folder, 'begun', 'config.json'),
      begunWith: below(folder, 'begun', 'begun-with.json'),
    },
    configChanges: below(folder, 'config-changes.json'),
    /** What it has used; only where it has a budget. */
    used: below(folder, 'used.json'),
    questions: (set: QuestionSet) => below(folder, 'questions', `${questionsOf(set)}.jsonl`),
    /** The gold answers of the training questions. `label_source: gold` learns from them; otherwise they only judge labels in `evaluate`. */
    goldLabels: below(folder, 'questions', 'train-gold.jsonl'),
    /** The questions of the task that are not asked, and why. */
    leftOut: below(folder, 'questions', 'left-out.json'),
    /** Which commit of a dataset of the hub the questions are of; only where the config may leave that open. */
    questionSource: below(folder, 'questions', 'source.json'),
    iteration: iterationFolder,
    /** The folder of the debates, with a file for each shard of questions. */
    debates: (iteration: number, set: QuestionSet) => within(iteration, folderOf(set)),
    /** The debates of a shard of questions, 0 the first. */
    shard: (iteration: number, set: QuestionSet, shard: number) => shardFile(iteration, set, shard, '.jsonl'),
    /** The answers of a shard, in the order in which they came. */
    shardJournal: (iteration: number, set: QuestionSet, shard: number) =>
      store.journal(shardFile(iteration, set, shard).name),
    dataset: (iteration: number, agent: number, role: string) =>
      within(iteration, 'datasets', `${modelName(agent, role)}.jsonl`),
    /** What became of the one model that the group is distilled into. */
    distilled: (iteration: number) => within(iteration, 'distilled.json'),
    /** The outcome of each held-out question. */
    outcomes: (iteration: number, set: MeasuredSet = 'heldout') =>
      within(iteration, set === 'heldout' ? 'outcomes.jsonl' : `outcomes-${set}.jsonl`),
    evaluation: (iteration: number, set: MeasuredSet = 'heldout') =>
      within(iteration, set === 'heldout' ? 'evaluation.json' : `evaluation-${set}.json`),
    /** How right the labels were that the iteration was trained with. */
    labels: (iteration: number) => within(iteration, 'labels.json'),
    diversity: (iteration: number) => within(iteration, 'diversity.json'),
    /** The scores for the diversity, in the order in which they came. */
    diversityJournal: (iteration: number) => store.journal(within(iteration, 'diversity').name),
    record: (iteration: number) => within(iteration, 'record.json'),
    /** For a night of a series: its plan, and a copy of its entry in the series' ledger. */
    nightPlan: below(folder, 'night', 'plan.json'),
    nightEntry: below(folder, 'night', 'night.json'),
    metrics: below(folder, 'metrics.jsonl'),
    /** What experiment trackers need beside it: see src/observe/trackers. */
    tracked: trackedFiles(below(folder, 'trackers')),
    result: below(folder, 'result.json'),
    allOutcomes: below(folder, 'evaluation.jsonl'),
    report: below(folder, 'report.html'),
    debateBrowser: below(folder, debateBrowserFile),
    exported: (what: string) => below(folder, 'export', what),
  };
}
export type ExperimentFiles = ReturnType<typeof experimentFiles>;

function trackedFiles(folder: Place) {
  return {
    folder,
    /** Under which id trackers know the experiment. */
    run: below(folder, 'run.json'),
    /** How far each tracker has come. */
    sent: below(folder, 'sent.json'),
    /** The losses of a model as its worker has seen them. */
    losses: (iteration: number, model: string) => below(folder, `losses-${iteration}-${model}.jsonl`),
    /** Which run of an MLflow server is the experiment's. One that was deleted there is followed by another of the next number. */
    mlflowRun: (server: string, number: number) => below(folder, `mlflow-${server}-${number}.json`),
    /** TensorBoard looks for files with `tfevents` in their names. */
    tensorboard: below(folder, 'events.out.tfevents.colloquy'),
  };
}

/** The name of a model in datasets and exports, e.g. `agent-1-critic`, or `distilled`. */
export function modelName(agent: number, role: string): string {
  return role === distilledModel ? role : `agent-${agent}-${role}`;
}

/** The iterations that an experiment has begun (it has at least one file of them), ascending; 0 is the base model. `listed`: the names of all its files. */
export async function begunIterations(
  { folder }: ExperimentFiles,
  listed?: readonly string[],
): Promise<number[]> {
  const prefix = `${folder.name}/iteration-`;
  const names = (listed ?? (await folder.blobs.list(prefix))).filter((name) => name.startsWith(prefix));
  const found = names.flatMap((name) => /^\d+(?=\/)/.exec(name.slice(prefix.length))?.[0] ?? []);
  return [...new Set(found.map(Number))].toSorted((a, b) => a - b);
}

/** The set whose questions a set asks: some ask those of another one again. */
export const questionsOf = (set: QuestionSet): QuestionSet => again[set] ?? set;
const again: { [set in QuestionSet]?: QuestionSet } = {
  vote: 'heldout',
  distilled: 'heldout',
  samples: 'train',
};
const folders: { [set in QuestionSet]?: string } = { train: 'debates', heldout: 'evaluation' };
const folderOf = (set: QuestionSet): string => folders[set] ?? set;
const numbered = (shard: number): string => String(shard).padStart(3, '0');

/** The files of a study. Its experiments have folders of their own, like all experiments. */
export function studyFiles(store: Store, study: string) {
  const folder = store.study(study);
  return {
    folder,
    study: below(folder, 'study.json'),
    results: below(folder, 'results.json'),
    /** A table of the report in one format: csv, json, md or tex. */
    table: (name: string, format: string) => below(folder, `${name}.${format}`),
    report: below(folder, 'report.html'),
  };
}

/** The files of a series of nights. */
export function seriesFiles(store: Store, series: string) {
  const folder = store.series(series);
  const night = (sequence: number) => below(folder, `night-${String(sequence).padStart(5, '0')}`);
  return {
    folder,
    /** The entry of a finished night. Nights count from 1. */
    entry: (sequence: number) => below(night(sequence), 'night.json'),
    /** The held-out questions of all nights, by their hash. In ledgers of earlier versions the name has no hash. */
    heldOut: (hash: string | undefined) =>
      below(night(1), hash === undefined ? 'heldout.jsonl' : `heldout-${hash}.jsonl`),
    report: below(folder, 'report.html'),
  };
}

/** The names of the store's folders that may be experiments'. */
export async function namesInStore({ blobs }: Store): Promise<string[]> {
  return (await blobs.folders()).filter((name) => experimentNameSchema.safeParse(name).success);
}

/** Where an experiment was begun. Its workers must have the same store, perhaps at different paths of different hosts. */
export type Origin = StoreIdentity & {
  /** The hash of the worker's code (`codeHash`). */
  readonly code: string;
};

export type StoreIdentity = {
  /** Made with the store, in its file store.json. */
  readonly id: string;
  /** Where a worker found it, for people. */
  readonly host: string;
  readonly path: string;
};

const storeFormat = 1;
const documentSchema = z.looseObject({ formatVersion: z.number().default(1) });

/** By path. When a running worker's store is emptied, the store gets the same id again. */
const known = new Map<string, string>();

/** The identity of a store. A store without an id gets one, the same for all workers on any hosts. @throws NotVisibleYet, DiskFull, StoreNotWritable, FileRefused, OtherVersion */
export async function storeIdentity(store: Store): Promise<StoreIdentity> {
  const { blobs, name, where } = store.place('store.json');
  const found = await blobs.get(name);
  let id = found === null ? undefined : idIn(found, where);
  if (id === undefined) {
    id = known.get(store.root) ?? randomUUID();
    const bytes = Buffer.from(`${JSON.stringify({ formatVersion: storeFormat, id })}\n`);
    // A damaged file is replaced: nothing depends on it but this comparison.
    if (found !== null) await blobs.replace(name, bytes);
    else if ((await blobs.putOnce(name, bytes)) === 'other') {
      const others = await blobs.get(name);
      id = others === null ? undefined : idIn(others, where);
      if (id === undefined) throw new NotVisibleYet(where);
    }
  }
  known.set(store.root, id);
  return { id, host: hostname(), path: store.root };
}

/** Undefined where the file is damaged. @throws OtherVersion for a store of a newer format: all else in it may mean something else, too */
function idIn(bytes: Buffer, where: string): string | undefined {
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const { data } = documentSchema.safeParse(content);
  if (data === undefined || data.formatVersion <= storeFormat) return z.string().safeParse(data?.['id']).data;
  throw new OtherVersion(where, `the store has format ${data.formatVersion}; it reads up to ${storeFormat}`);
}
