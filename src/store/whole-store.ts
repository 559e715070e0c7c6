/** What in a store does nothing need any more? `findUnneeded` looks and changes nothing; `removeUnneeded` removes. */
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { z } from 'zod';
import { experimentNameSchema } from '../config/names.ts';
import { fileBlobs } from './blobs-file.ts';
import type { Blobs, Kept } from './blobs.ts';
import { isMissing, isTemporary, temporaryPath } from './files/atomic.ts';
import type { Store } from './store.ts';

/** Why something is not needed. */
export const unneededKinds = {
  model: 'models that no experiment, series or other model refers to',
  checkpoints: 'checkpoints of models that are finished or not needed, and of trials',
  answers: 'journals of answers that the experiments of a study shared, none of which is there any more',
  journals: 'journals on this host of experiments that are not in the store any more',
  damaged: 'damaged files and folders that were set aside',
  temporary: 'temporary files that killed writers have left',
} as const;
export type UnneededKind = keyof typeof unneededKinds;

export type Unneeded = {
  readonly kind: UnneededKind;
  /** `host`: in the folder with this host's own files, where the store is a bucket. */
  readonly in: 'store' | 'host';
  /** Names in the store: files and folders that go together. */
  readonly names: readonly string[];
  readonly bytes: number;
  /** Milliseconds: when any of it was written last. */
  readonly writtenAt: number;
};

/**
 * What nothing in the store refers to and nothing has written since a moment, the largest first. Of a store in a bucket also what is so among this
 * host's own files.
 *
 * A model is needed while any document of an experiment, a series or a study has its content address, while it is the start of a needed
 * model, and while the experiment that asked for it is there, finished or not. So a running experiment loses nothing; and a model that a new
 * one finds at the very moment of its removal is made again.
 *
 * @param before milliseconds
 * @throws FileRefused and other errors of reading: then nothing is known to be unneeded
 */
export async function findUnneeded(store: Store, before: number): Promise<Unneeded[]> {
  const ofHost = isInBucket(store) ? await fileBlobs(store.local).everything('') : [];
  const files = await store.blobs.everything('');
  const needed = await neededBy(store.blobs, files);
  const all = [
    ...groupsOf(files, 'store', partOf),
    ...groupsOf(ofHost, 'host', (name) => partOf(name) ?? journalOf(name)),
  ];
  return all
    .filter(({ kind, named, writtenAt }) => writtenAt < before && !isNeeded(kind, named, needed))
    .map(({ kind, in: place, names, bytes, writtenAt }) => ({ kind, in: place, names, bytes, writtenAt }))
    .toSorted((a, b) => b.bytes - a.bytes);
}

/** Whether the store's own folder on this host is another place than the store. */
function isInBucket({ root, local }: Store): boolean {
  return root !== local;
}

type Part = { readonly kind: UnneededKind; readonly named: string; readonly name: string };

function groupsOf(
  files: readonly Kept[],
  place: Unneeded['in'],
  of: (name: string) => Part | null,
): (Unneeded & { readonly named: string })[] {
  const groups = new Map<string, Unneeded & { readonly named: string; readonly names: string[] }>();
  for (const { name, bytes, writtenAt } of files) {
    const part = of(name);
    if (part === null) continue;
    const { kind, named } = part;
    const empty = { kind, in: place, named, names: [], bytes: 0, writtenAt: 0 };
    const group = groups.get(`${kind} ${named}`) ?? empty;
    groups.set(`${kind} ${named}`, {
      ...group,
      names: [...new Set([...group.names, part.name])].toSorted(),
      bytes: group.bytes + bytes,
      writtenAt: Math.max(group.writtenAt, writtenAt),
    });
  }
  return [...groups.values()];
}

/**
 * Removes what was found, unless it was written since. Files and folders vanish at once; of what is in a bucket, no reader takes what is left for whole.
 * Returns what was removed.
 *
 * @throws StoreNotWritable, and the errors of the store
 */
export async function removeUnneeded(store: Store, items: readonly Unneeded[]): Promise<Unneeded[]> {
  const removed: Unneeded[] = [];
  for (const item of items)
    if (
      await (isInBucket(store) && item.in === 'store'
        ? removeObjects(store.blobs, item)
        : removeFiles(store.local, item))
    )
      removed.push(item);
  return removed;
}

/** @returns false when any of it was written since, which stays */
async function removeFiles(local: string, { names, writtenAt }: Unneeded): Promise<boolean> {
  const now = await Promise.all(names.map((name) => newest(join(local, name))));
  if (Math.max(...now) > writtenAt) return false;
  for (const name of names) {
    const path = join(local, name);
    const aside = temporaryPath(path);
    await rename(path, aside).catch(unlessGone);
    await rm(aside, { recursive: true, force: true });
  }
  return true;
}

/** Objects go one after another, so what makes a model whole goes first: its manifest, with the seal before. A model that is made again meanwhile stays. */
async function removeObjects(blobs: Blobs, { names, writtenAt }: Unneeded): Promise<boolean> {
  const objects = async (): Promise<Kept[]> => {
    const found = await Promise.all(names.map((name) => blobs.everything(name)));
    return found
      .flat()
      .filter(({ name }) => names.some((each) => name === each || name.startsWith(`${each}/`)));
  };
  for (;;) {
    const left = await objects();
    if (left.some((object) => object.writtenAt > writtenAt)) return false;
    if (left.length === 0) return true;
    const rank = Math.min(...left.map(({ name }) => rankOf(name)));
    const next = left.filter(({ name }) => rankOf(name) === rank).slice(0, atOnce);
    await Promise.all(next.map(({ name }) => blobs.remove(name)));
  }
}

/** A fine-tune's request is written before its model: it goes last, and its age tells until then whether the model is being made again. */
function rankOf(name: string): number {
  const inFolder = name.split('/').length > 2;
  const ofManifest = /\/manifest\.json(\.ref\.json)?$/.test(name);
  return (inFolder ? (ofManifest ? 0 : 2) : 4) + (name.endsWith('.ref.json') ? 0 : 1);
}

/** Requests that one removal, or one look, has in flight. */
const atOnce = 16;

const key = /[0-9a-f]{64}/g;

type Needed = {
  readonly keys: ReadonlySet<string>;
  readonly finished: ReadonlySet<string>;
  readonly answers: ReadonlySet<string>;
  /** The first parts of names. */
  readonly folders: ReadonlySet<string>;
};

function isNeeded(kind: UnneededKind, named: string, { keys, finished, answers, folders }: Needed): boolean {
  if (kind === 'model') return keys.has(named);
  if (kind === 'checkpoints') return keys.has(named) && !finished.has(named);
  if (kind === 'journals') return folders.has(named);
  return kind === 'answers' && answers.has(named);
}

/** The item that a file belongs to, if it is of a kind that may be unneeded; null for documents and rows of experiments. */
function partOf(name: string): Part | null {
  const parts = name.split('/');
  const upTo = (index: number) => parts.slice(0, index + 1).join('/');
  const damaged = parts.findIndex((part) => /\.damaged-\d+$/.test(part));
  if (damaged >= 0) return { kind: 'damaged', named: upTo(damaged), name: upTo(damaged) };
  const temporary = parts.findIndex((part) => isTemporary(part) && part.endsWith('.tmp'));
  if (temporary >= 0) return { kind: 'temporary', named: upTo(temporary), name: upTo(temporary) };
  const [folder, entry = ''] = parts;
  // The trial of a bucket, before a worker takes work.
  if (folder === '.canary') return { kind: 'temporary', named: upTo(1), name: upTo(1) };
  if (folder === 'answers' && parts.length > 2) return { kind: 'answers', named: entry, name: upTo(1) };
  const [, named, ending] = /^([0-9a-f]{64}|trial-[0-9a-f-]+)(\..*)?$/.exec(entry) ?? [];
  if (folder !== 'models' || named === undefined) return null;
  return { kind: ending === '.checkpoints' ? 'checkpoints' : 'model', named, name: upTo(1) };
}

/** The host's journals of an experiment whose rows are in a bucket. */
function journalOf(name: string): Part | null {
  const [folder = ''] = name.split('/');
  if (!name.endsWith('.journal.jsonl') || !experimentNameSchema.safeParse(folder).success) return null;
  return { kind: 'journals', named: folder, name };
}

const requestSchema = z.object({ experiment: z.string() });
const sharingSchema = z.object({ shared_answers: z.string() });

/** The models and answers that something in the store refers to. */
async function neededBy(blobs: Blobs, files: readonly Kept[]): Promise<Needed> {
  const limit = pLimit(atOnce);
  const textsOf = (names: readonly string[]): Promise<[string, string][]> =>
    Promise.all(
      names.map((name) =>
        limit(async () => [name, String((await blobs.get(name)) ?? '')] as [string, string]),
      ),
    );
  const keys = new Set<string>();
  const answers = new Set<string>();
  const experiments = new Set<string>();
  for (const [name, text] of await textsOf(files.map((file) => file.name).filter(isDocument))) {
    for (const [found] of text.matchAll(key)) keys.add(found);
    const [experiment = '', file] = name.split('/');
    if (file !== 'config.json') continue;
    experiments.add(experiment);
    const shared = parsed(text, sharingSchema)?.shared_answers;
    if (shared !== undefined) answers.add(shared);
  }
  const ofModels = files.flatMap(({ name }) => {
    const [, model] =
      /^models\/([0-9a-f]{64})(?:\.(?:request|pruned|jobs)\.json|\/manifest\.json)$/.exec(name) ?? [];
    return model === undefined ? [] : [{ model, name }];
  });
  const texts = new Map<string, string>();
  const modelOf = new Map(ofModels.map(({ model, name }) => [name, model]));
  for (const [name, text] of await textsOf([...modelOf.keys()])) {
    const model = modelOf.get(name) ?? '';
    texts.set(model, `${texts.get(model) ?? ''}${text}`);
    if (name.endsWith('.request.json') && experiments.has(parsed(text, requestSchema)?.experiment ?? ''))
      keys.add(model);
  }
  // A model from which a needed one was trained is needed to make that one again. A set grows while it is walked.
  for (const needed of keys) for (const [found] of (texts.get(needed) ?? '').matchAll(key)) keys.add(found);
  const finished = new Set(
    ofModels.filter(({ name }) => name.endsWith('/manifest.json')).map(({ model }) => model),
  );
  const folders = new Set(files.map(({ name }) => name.split('/')[0] ?? ''));
  return { keys, finished, answers, folders };
}

/** A document of an experiment, a series or a study. A seal has a hash of it, and no address of a model. */
function isDocument(name: string): boolean {
  return (
    name.includes('/') &&
    name.endsWith('.json') &&
    !name.endsWith('.ref.json') &&
    !name.startsWith('logs/') &&
    partOf(name) === null
  );
}

/** When anything of a file or a folder was written last; 0 when it is gone. */
async function newest(path: string): Promise<number> {
  const at = await stat(path).catch(unlessGone);
  if (at === undefined) return 0;
  if (!at.isDirectory()) return at.mtimeMs;
  const within = await fileBlobs(path).everything('');
  return within.reduce((latest, { writtenAt }) => Math.max(latest, writtenAt), 0);
}

function parsed<Value>(text: string, schema: z.ZodType<Value>): Value | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function unlessGone(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
