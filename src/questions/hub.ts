import { join, resolve } from 'node:path';
import { pathExists } from '../config/load.ts';
import { type HubDataset, hubDatasets } from '../config/names.ts';
import type { DatasetTask } from '../config/tasks.ts';
import { StoreNotWritable } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { causeOf, hubToken, hubUrl, isHubToken, isOffline, watchedFetch } from '../store/hub-access.ts';
import { requireDataFolder } from './row-files.ts';
import {
  DatasetFileUnknown,
  DatasetNotAllowed,
  DatasetNotReachable,
  DatasetUnknown,
  InvalidTaskFile,
} from './errors.ts';
import type { Problem } from './task.ts';
import {
  gsm8kRows,
  math500Rows,
  mathRows,
  mmluRows,
  readProblems,
  type ReadProblems,
  type RowShape,
} from './rows.ts';

/** A split of a dataset: where it is and what its rows are. */
export type HubSplit = {
  readonly dataset: HubDataset;
  readonly split: string;
  /** Those of its rows that are asked, where they have levels. */
  readonly levels: readonly number[] | undefined;
  readonly shape: RowShape;
  readonly revision: string;
  /** A folder with a copy of the dataset; the hub when undefined. */
  readonly folder: string | undefined;
  /** The setting that names such a folder. */
  readonly setting: string;
};

/** What is held out. */
export type HeldOutSettings = Pick<DatasetTask, 'kind' | 'revision' | 'dataset_path'> & {
  readonly levels?: readonly number[] | undefined;
};

/** The part of a task that measures. */
export function heldOutPart({ kind, levels, revision, dataset_path }: HeldOutSettings): HubSplit {
  return {
    dataset: hubDatasets[kind],
    split: 'test',
    levels,
    shape: shapeOf[kind](levels),
    revision,
    folder: dataset_path,
    setting: 'task.dataset_path',
  };
}

/** The part of a task that is trained on. */
export function trainingPart(task: DatasetTask): HubSplit {
  if (task.kind !== 'math-500') {
    // MMLU's auxiliary_train comes from other tests and names no subjects; this split is of the same kind as the test split.
    return { ...heldOutPart(task), split: task.kind === 'mmlu' ? 'validation' : 'train' };
  }
  const { levels, train_revision: revision, train_dataset_path: dataset_path } = task;
  const math = heldOutPart({ kind: 'math', levels, revision, dataset_path });
  return { ...math, split: 'train', setting: 'task.train_dataset_path' };
}

const shapeOf: Record<DatasetTask['kind'], (levels?: readonly number[]) => RowShape> = {
  gsm8k: () => gsm8kRows,
  math: mathRows,
  'math-500': math500Rows,
  mmlu: () => mmluRows,
};

/** What to call a part in messages, e.g. `EleutherAI/hendrycks_math (train, levels 1, 2, 3)`. */
export function nameOf({ dataset, split, levels, folder }: HubSplit): string {
  const which = [
    split,
    ...(levels === undefined ? [] : [`levels ${levels.join(', ')}`]),
    ...(folder === undefined ? [] : [`from ${folder}`]),
  ];
  return `${dataset.name} (${which.join(', ')})`;
}

/** A dataset of the hub at a commit. */
export type DatasetVersion = {
  readonly name: string;
  /** The commit. */
  readonly revision: string;
  /** The setting that names a local copy instead, for messages. */
  readonly setting: string;
};

/**
 * A file of a dataset in Hugging Face's own cache, where `hf download` and the Python libraries find it too; downloaded first
 * when it is not there. Obeys the variables that those obey: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE.
 *
 * @param path within the dataset
 * @returns its absolute path
 * @throws DatasetNotReachable, DatasetFileUnknown, DatasetNotAllowed
 */
export async function hubFile(version: DatasetVersion, path: string, signal?: AbortSignal): Promise<string> {
  const { name, revision } = version;
  const cached = join(await cacheOf(name), 'snapshots', revision, path);
  if (pathExists(cached)) return cached;
  if (isOffline()) {
    throw new DatasetNotReachable(version, path, `HF_HUB_OFFLINE is set, and ${cached} is not there`);
  }
  const bytes = await askHub(version, path, signal, async ({ downloadFile }, asked) => {
    // Plain HTTP from one host is what mirrors and proxies can serve.
    const blob = await downloadFile({
      repo: { type: 'dataset', name },
      revision,
      path,
      ...asked,
      xet: false,
    });
    if (blob === null) throw new DatasetFileUnknown(version, path);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    if (bytes.length !== blob.size) throw new Error(`${bytes.length} of ${blob.size} bytes came`);
    return bytes;
  });
  await writeAtomically(cached, [bytes]).catch((error: unknown) => {
    if (!(error instanceof StoreNotWritable)) throw error;
    const why = `the cache cannot be written (${causeOf(error)}); set HF_HOME to a folder that can be`;
    throw new DatasetNotReachable(version, path, why, { cause: error });
  });
  return cached;
}

/** The folder of a dataset in Hugging Face's own cache. */
export async function cacheOf(name: string): Promise<string> {
  const { getHFHubCachePath, getRepoFolderName } = await hubLibrary();
  return join(getHFHubCachePath(), getRepoFolderName({ type: 'dataset', name }));
}

/** Only now, as most workers never load a dataset, and this library takes its time to be loaded. */
const hubLibrary = async () => import('@huggingface/hub');

/** What each question to the hub says beside what it asks for. */
type Asked = { readonly hubUrl: string; readonly fetch: typeof fetch; readonly accessToken?: string };

/**
 * Asks the hub about a dataset. It gets the token only where it asks for one, so that public datasets do not depend on it.
 *
 * @param path what is asked for, for messages
 * @throws DatasetUnknown, DatasetNotAllowed, DatasetNotReachable
 */
export async function askHub<Result>(
  version: DatasetVersion,
  path: string,
  signal: AbortSignal | undefined,
  ask: (library: Awaited<ReturnType<typeof hubLibrary>>, asked: Asked) => Promise<Result>,
): Promise<Result> {
  const library = await hubLibrary();
  const { fetch, refusal } = watchedFetch(signal);
  const asked: Asked = { hubUrl: hubUrl(), fetch };
  const found = await hubToken();
  // The library sends no other tokens than the hub's.
  const mayAgain = found !== null && isHubToken(found.token);
  for (let again = false; ; again = true) {
    try {
      return await ask(library, again && found !== null ? { ...asked, accessToken: found.token } : asked);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof DatasetFileUnknown) throw cause;
      const refused = refusal(cause);
      const isLocked = refused !== null && [401, 403].includes(refused.status);
      if (isLocked && mayAgain && !again) continue;
      const isGated = refused?.code === 'GatedRepo' || /gated|restricted/i.test(refused?.words ?? '');
      const isMissing = refused?.code === 'RepoNotFound' || refused?.code === 'RevisionNotFound';
      if (refused !== null && isMissing && !isGated) throw new DatasetUnknown(version, refused, again);
      if (refused !== null && isLocked) throw new DatasetNotAllowed(version, refused, found?.from ?? null);
      throw new DatasetNotReachable(version, path, `${hubUrl()}: ${causeOf(cause)}`, { cause });
    }
  }
}

/**
 * The questions of a part of a dataset, from all its files.
 *
 * @throws as `datasetFiles` and `readProblems` do
 */
export async function readPart(
  part: HubSplit,
  skipUnreadable: boolean,
  signal?: AbortSignal,
): Promise<ReadProblems> {
  const problems: Problem[] = [];
  const unreadable: Problem[] = [];
  for (const path of await datasetFiles(part, signal)) {
    const read = await readProblems(path, part.shape, skipUnreadable);
    // Not by spreading them into push: a file may have more questions than a call takes arguments.
    for (const problem of read.problems) problems.push(problem);
    for (const problem of read.unreadable) unreadable.push(problem);
  }
  return { problems, unreadable };
}

/**
 * The files of a split of a dataset: of the local copy, if one is named, or else of the hub.
 *
 * @returns absolute paths, one for each config
 * @throws InvalidTaskFile when the local copy has not all of them
 * @throws DatasetNotReachable
 */
export async function datasetFiles(part: HubSplit, signal?: AbortSignal): Promise<string[]> {
  const { dataset, split, revision, folder, setting } = part;
  const paths = dataset.configs.map((config) =>
    dataset.file.replace('{config}', config).replace('{split}', split),
  );
  if (folder !== undefined) {
    const local = localFiles(part, resolve(folder), paths);
    await Promise.all(local.map(requireDataFolder));
    return local;
  }
  const files: string[] = [];
  for (const path of paths)
    files.push(await hubFile({ name: dataset.name, revision, setting }, path, signal));
  return files;
}

/** As the hub has them, or all configs in one file that is named after the split. */
function localFiles({ dataset, split, setting }: HubSplit, folder: string, paths: string[]): string[] {
  const [lacking] = paths.filter((path) => !pathExists(join(folder, path)));
  if (lacking === undefined) return paths.map((path) => join(folder, path));
  const whole = [`${split}.jsonl`, `${split}.parquet`];
  const [found] = whole.filter((name) => pathExists(join(folder, name)));
  if (found !== undefined) return [join(folder, found)];
  const looked = [lacking, ...whole.filter((name) => name !== lacking)].join(', nor ');
  const message = `${setting} names it as a copy of ${dataset.name}, but it has no ${looked}`;
  throw new InvalidTaskFile(folder, [{ line: 0, message }]);
}
