/** Tasks from any dataset of the hub: a config says which splits and columns they are read from, and the dataset's files where these are. */
import { join, resolve } from 'node:path';
import type { AnswerRules } from '../algorithm/answer.ts';
import { InvalidConfig } from '../config/faults.ts';
import type { HubTask } from '../config/tasks.ts';
import { goldAfter, mathGold, ownGold, whyNeverGiven, whyUnreadable } from '../grading/grader.ts';
import { fileBlobs } from '../store/blobs-file.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { isOffline } from '../store/hub-access.ts';
import { DatasetNotReachable } from './errors.ts';
import { decontaminated } from './hub.ts';
import {
  askHub,
  cacheOf,
  chosenConfig,
  type DatasetVersion,
  hubFile,
  layoutOf,
  type Listed,
  splitFiles,
} from './dataset-files.ts';
import { ownRows } from './own-files.ts';
import { requireDataFolder } from './row-files.ts';
import { readProblems, type ReadProblems, type RowShape } from './rows.ts';
import { drawn, drawnTexts, leftOut, poolOf, repeats, requireEnough } from './select.ts';
import { apartFrom, byText, type ByText, type Problem, type Source, type Splits, type Task } from './task.ts';

/** The task of any dataset of the hub. */
export function anyDatasetTask(config: HubTask, answers: AnswerRules): Task {
  const pool: Task['pool'] = async (seed, kept, signal) => {
    const dataset = await openDataset(config, signal);
    const splits = await splitsOf(config, dataset, seed, kept, signal);
    return { ...poolOf(config, splits, seed, kept), source: dataset.source };
  };
  return {
    pool,
    heldOut: async (seed, signal) => {
      const { test } = config.splits;
      // Held out of the training split, they depend on those that are trained on.
      if (test === undefined) return (await pool(seed, null, signal)).heldOut;
      // Only the split that measures is loaded.
      const dataset = await openDataset(config, signal);
      const questions = byText((await readSplit(config, dataset, 'test', test, signal)).problems);
      requireEnough('task.test_size', config.test_size, questions, nameOf(config, test));
      return drawn(questions, config.test_size, { seed, purpose: 'hub-heldout' });
    },
    answers,
  };
}

/** A dataset at a commit: what it has, and how a file of it is had. */
type Dataset = {
  readonly source: Source;
  readonly files: ReadonlyMap<string, readonly Listed[]>;
  readonly open: (path: string) => Promise<string>;
};

/**
 * Training questions that are anywhere in the measuring split are left out, as of the datasets that have kinds of their own.
 *
 * @param kept the held-out questions of a series; null in its first night and without a series
 */
async function splitsOf(
  config: HubTask,
  dataset: Dataset,
  seed: number,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<Splits> {
  const { train: trainSplit, test: testSplit } = config.splits;
  const train = await readSplit(config, dataset, 'train', trainSplit, signal);
  const test = testSplit === undefined ? null : await readSplit(config, dataset, 'test', testSplit, signal);
  const all = byText(train.problems);
  const measured = test === null ? null : byText(test.problems);
  const held = kept === null ? (measured ?? heldOutOf(config, all, seed)) : byText(kept);
  const { apart, shared } = apartFrom(new Map([...(measured ?? []), ...held]), all);
  const { training, removed } = await decontaminated(apart, config.decontaminate, signal);
  const from = {
    training: nameOf(config, trainSplit),
    heldOut: nameOf(config, testSplit ?? trainSplit),
    validation: nameOf(config, testSplit ?? trainSplit),
  };
  const unread = (name: string, { unreadable }: ReadProblems) =>
    leftOut(`questions of ${name} whose gold answer the grader cannot read`, unreadable);
  return {
    training,
    heldOut: held,
    validation: measured ?? all,
    leftOut: [
      ...unread(from.training, train),
      ...(test === null ? [] : unread(from.heldOut, test)),
      ...repeats(from.training, train.problems),
      ...(test === null ? [] : repeats(from.heldOut, test.problems)),
      ...(test === null ? [] : leftOut(`training questions that ${from.heldOut} has too`, shared)),
      ...removed,
    ],
    from,
  };
}

/** @throws InvalidConfig when too few are left to be trained on */
function heldOutOf(config: HubTask, all: ByText, seed: number): ByText {
  const { test_size: size, train_size } = config;
  requireEnough('task', size + train_size, all, nameOf(config, config.splits.train));
  const chosen = drawnTexts(all, size, { seed, purpose: 'hub-split' });
  return new Map([...all].filter(([text]) => chosen.has(text)));
}

/** What to call a split in messages, e.g. `openai/gsm8k (main, train)`. */
function nameOf({ dataset, config }: HubTask, split: string): string {
  return `${dataset} (${config === undefined ? split : `${config}, ${split}`})`;
}

async function readSplit(
  config: HubTask,
  dataset: Dataset,
  which: 'train' | 'test',
  split: string,
  signal?: AbortSignal,
): Promise<ReadProblems> {
  const problems: Problem[] = [];
  const unreadable: Problem[] = [];
  const { shape, why } = rowsOf(config);
  for (const path of splitFiles(dataset.files, split, `task.splits.${which}`, config.dataset)) {
    signal?.throwIfAborted();
    const read = await readProblems(await dataset.open(path), shape, config.skip_unreadable ?? false, why);
    for (const problem of read.problems) problems.push(problem);
    for (const problem of read.unreadable) unreadable.push(problem);
  }
  return { problems, unreadable };
}

/** What the rows are, and why a gold answer cannot be read. A scorer of one's own may read any. */
function rowsOf({ gold = 'marked', columns, scorer }: HubTask): {
  readonly shape: RowShape;
  readonly why: (answer: string) => string | null;
} {
  const why = scorer === undefined ? whyUnreadable : () => null;
  if (gold === 'boxed') return { shape: ownRows(mathGold, columns, String.raw`… \boxed{42} …`), why };
  if (gold !== 'marked') {
    const { after } = gold;
    return { shape: ownRows((answer) => goldAfter(answer, after), columns, `… ${after} 42`), why };
  }
  if (scorer !== undefined) return { shape: ownRows((answer) => answer, columns), why };
  const isChosen = columns?.choices !== undefined;
  return {
    shape: ownRows(ownGold, columns),
    why: isChosen ? why : (answer) => whyUnreadable(answer) ?? whyNeverGiven(answer),
  };
}

/** @throws DatasetNotReachable, DatasetUnknown, DatasetNotAllowed; InvalidConfig when the config is not there */
async function openDataset(config: HubTask, signal?: AbortSignal): Promise<Dataset> {
  const { listed, revision, open } =
    config.dataset_path === undefined
      ? await ofHub(config, signal)
      : await ofFolder(resolve(config.dataset_path));
  const card = listed.some(({ path }) => path === 'README.md') ? await open('README.md') : null;
  const text = card === null ? null : await textOf(card);
  const layout = layoutOf(listed, text);
  const chosen = chosenConfig(layout, config.config, config.dataset);
  return {
    source: { dataset: config.dataset, revision, config: chosen },
    files: layout.configs.get(chosen) ?? new Map<string, readonly Listed[]>(),
    open,
  };
}

async function textOf(path: string): Promise<string> {
  return (await fileBlobs(join(path, '..')).get('README.md'))?.toString('utf8') ?? '';
}

type Opened = Pick<Dataset, 'open'> & {
  readonly listed: readonly Listed[];
  readonly revision: string | null;
};

async function ofFolder(folder: string): Promise<Opened> {
  const listed = await filesIn(folder);
  if (listed.length === 0) {
    const message = `there are no files in ${folder}`;
    throw new InvalidConfig([{ path: 'task.dataset_path', message }]);
  }
  const open = async (path: string) => {
    await requireDataFolder(join(folder, path));
    return join(folder, path);
  };
  return { listed, revision: null, open };
}

async function filesIn(folder: string): Promise<Listed[]> {
  return (await fileBlobs(folder).list('')).map((path) => ({ path, size: 0 }));
}

async function ofHub({ dataset: name, revision: wanted }: HubTask, signal?: AbortSignal): Promise<Opened> {
  const setting = 'task.dataset_path';
  const asked: DatasetVersion = { name, revision: wanted ?? 'main', setting };
  const revision = wanted ?? (await newestCommit(asked, signal));
  const version = { name, revision, setting };
  const listed = await listedFiles(version, signal);
  return { listed, revision, open: (path) => hubFile(version, path, signal) };
}

/** The commit that the branch has now; without a network, the one that it had when a program last asked. */
async function newestCommit(asked: DatasetVersion, signal?: AbortSignal): Promise<string> {
  const { name } = asked;
  const folder = await cacheOf(name);
  const known = async () => (await fileBlobs(folder).get('refs/main'))?.toString('utf8').trim();
  return unlessOffline(asked, 'the newest commit', known, async () => {
    const sha = await askHub(asked, 'the newest commit', signal, async ({ datasetInfo }, hub) => {
      const found = await datasetInfo({ name, additionalFields: ['sha'], ...hub });
      return found.sha;
    });
    // Where Hugging Face's own tools keep it, too.
    await writeAtomically(join(folder, 'refs', 'main'), [Buffer.from(sha)]).catch(() => undefined);
    return sha;
  });
}

/** The files of the dataset at a commit; without a network, those that are in the cache. */
async function listedFiles(version: DatasetVersion, signal?: AbortSignal): Promise<Listed[]> {
  const { name, revision } = version;
  const known = async () => {
    const files = await filesIn(join(await cacheOf(name), 'snapshots', revision));
    return files.length === 0 ? undefined : files;
  };
  return unlessOffline(version, 'the list of files', known, () =>
    askHub(version, 'the list of files', signal, async ({ listFiles }, hub) => {
      const files: Listed[] = [];
      const repo = { type: 'dataset', name } as const;
      for await (const { type, path, size } of listFiles({ repo, revision, recursive: true, ...hub }))
        if (type === 'file') files.push({ path, size });
      return files;
    }),
  );
}

async function unlessOffline<Value>(
  version: DatasetVersion,
  what: string,
  known: () => Promise<Value | undefined>,
  ask: () => Promise<Value>,
): Promise<Value> {
  if (!isOffline()) {
    try {
      return await ask();
    } catch (error) {
      const kept = error instanceof DatasetNotReachable ? await known() : undefined;
      if (kept === undefined) throw error;
      return kept;
    }
  }
  const kept = await known();
  if (kept !== undefined) return kept;
  throw new DatasetNotReachable(version, what, 'HF_HUB_OFFLINE is set, and the cache does not have it');
}
