/** Which files has a dataset of the hub, which of them are which split of which config, and how is one of them had? */
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { InvalidConfig } from '../config/faults.ts';
import { pathExists } from '../config/load.ts';
import { StoreNotWritable } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { causeOf, hubToken, hubUrl, isHubToken, isOffline, watchedFetch } from '../store/hub-access.ts';
import { DatasetFileUnknown, DatasetNotAllowed, DatasetNotReachable, DatasetUnknown } from './errors.ts';

/** A file of a dataset. `size` is 0 where it is not known. */
export type Listed = { readonly path: string; readonly size: number };

/** The files of each split of each config. */
type Layout = {
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, readonly Listed[]>>;
  /** The config that the card calls the default one. */
  readonly standard: string | null;
  readonly listed: readonly Listed[];
};

const paths = z.union([z.string().transform((path) => [path]), z.array(z.string())]);
const cardSchema = z.object({
  configs: z.array(
    z.object({
      config_name: z.string().default('default'),
      default: z.boolean().optional(),
      data_dir: z.string().optional(),
      data_files: z
        .union([
          z.array(z.object({ split: z.string(), path: paths })),
          z.record(z.string(), paths).transform(bySplit),
          paths.transform((path) => [{ split: 'train', path }]),
        ])
        .optional(),
    }),
  ),
});

/**
 * @param listed all its files
 * @param card the text of its README.md; null when it has none
 */
export function layoutOf(listed: readonly Listed[], card: string | null): Layout {
  const data = listed
    .filter(({ path }) => dataFile.test(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const said = cardSchema.safeParse(frontMatter(card));
  const configs = new Map<string, Map<string, Listed[]>>();
  let standard: string | null = null;
  for (const { config_name, data_dir, data_files, ...rest } of said.success ? said.data.configs : []) {
    const below = data_dir === undefined ? '' : `${data_dir.replace(/^\.\/|\/+$/g, '')}/`;
    const splits = new Map<string, Listed[]>();
    for (const { split, path } of data_files ?? []) {
      const patterns = path.map((each) => globbed(`${below}${each.replace(/^\.\//, '')}`));
      add(
        splits,
        split,
        data.filter((file) => patterns.some((pattern) => pattern.test(file.path))),
      );
    }
    if (data_files === undefined)
      for (const file of data.filter((each) => each.path.startsWith(below)))
        add(splits, placeOf(file.path.slice(below.length)).split, [file]);
    if (splits.size > 0) configs.set(config_name, splits);
    if (rest.default === true) standard = config_name;
  }
  if (configs.size === 0)
    for (const file of data) {
      const { config, split } = placeOf(file.path);
      const splits = configs.get(config) ?? new Map<string, Listed[]>();
      add(splits, split, [file]);
      configs.set(config, splits);
    }
  return { configs, standard, listed };
}

function bySplit(files: Readonly<Record<string, string[]>>): { split: string; path: string[] }[] {
  return Object.entries(files).map(([split, path]) => ({ split, path }));
}

function frontMatter(card: string | null): unknown {
  const text = /^---\r?\n([^]*?)\r?\n---/.exec(card ?? '')?.[1];
  try {
    return text === undefined ? null : parse(text);
  } catch {
    return null;
  }
}

const dataFile = /\.(?:parquet|jsonl|ndjson|json)(?:\.gz)?$/;

/** The names that most datasets give their files: `main/train-00000-of-00001.parquet`, `data/test.jsonl`, `main/train/0000.parquet`. */
function placeOf(file: string): { readonly config: string; readonly split: string } {
  const parts = file.replace(dataFile, '').split('/');
  const last = parts.pop() ?? '';
  const split = /^\d+$/.test(last) && parts.length > 0 ? (parts.pop() ?? '') : last.replace(shard, '');
  const config = parts.filter((part) => part !== 'data').join('/');
  return { config: config === '' ? 'default' : config, split };
}

/** Behind the name of a split; some have a hash too. */
const shard = /-\d{4,}(?:-of-(\d{4,}))?(?:-[0-9a-f]{16})?$/;

function add(splits: Map<string, Listed[]>, split: string, files: readonly Listed[]): void {
  if (files.length > 0) splits.set(split, [...(splits.get(split) ?? []), ...files]);
}

/** The pattern of a card, where `*` stays within a folder and `**` does not. */
function globbed(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (found) => {
    if (found === '**/') return '(?:.*/)?';
    if (found === '**') return '.*';
    if (found === '*') return '[^/]*';
    return found === '?' ? '[^/]' : `\\${found}`;
  });
  return new RegExp(`^${source}$`);
}

/** The config that is meant. @throws InvalidConfig with those that there are */
export function chosenConfig(
  { configs, standard, listed }: Layout,
  wanted: string | undefined,
  dataset: string,
): string {
  const names = [...configs.keys()];
  if (names.length === 0) {
    const files = some(listed.map(({ path }) => path));
    const message = `${dataset} has no files of Parquet or JSON lines, only ${files}. Convert it, and name the files with kind: jsonl`;
    throw new InvalidConfig([{ path: 'task.dataset', message }]);
  }
  const only = names.length === 1 ? names[0] : undefined;
  const found = wanted ?? standard ?? only ?? (configs.has('default') ? 'default' : undefined);
  if (found !== undefined && configs.has(found)) return found;
  const message =
    wanted === undefined
      ? `${dataset} has several configs, and one has to be named: ${some(names)}`
      : `${dataset} has no config ${JSON.stringify(wanted)}, only ${some(names)}`;
  throw new InvalidConfig([{ path: 'task.config', message }]);
}

/**
 * The paths of the files of a split.
 *
 * @param setting which names the split
 * @throws InvalidConfig with the splits that there are; when only some of its files are there, or they are larger than memory
 */
export function splitFiles(
  splits: ReadonlyMap<string, readonly Listed[]>,
  split: string,
  setting: string,
  dataset: string,
): string[] {
  const fault = (message: string) => new InvalidConfig([{ path: setting, message }]);
  const files = splits.get(split) ?? [];
  const [first] = files;
  if (first === undefined)
    throw fault(`${dataset} has no split ${JSON.stringify(split)}, only ${some([...splits.keys()])}`);
  // Without a network, the cache may have some of them.
  const all = Number(shard.exec(first.path.replace(dataFile, ''))?.[1] ?? files.length);
  if (files.length < all)
    throw fault(`only ${files.length} of the ${all} files of the split ${split} of ${dataset} are there`);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > mostBytes)
    throw fault(
      `the split ${split} of ${dataset} has ${(bytes / 1e9).toFixed(1)} GB, and at most ${mostBytes / 1e9} GB are read: copy a part of it, and name the file with kind: jsonl`,
    );
  return files.map(({ path }) => path);
}

/** All questions of a task are in memory at once. */
const mostBytes = 1_000_000_000;

function some(names: readonly string[]): string {
  const shown = names.slice(0, most).map((name) => JSON.stringify(name.slice(0, 80)));
  return `${shown.join(', ')}${names.length > most ? `, … (${names.length})` : ''}`;
}

const most = 20;

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
