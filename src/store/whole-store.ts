/**
 * What is in a store's folder: what does nothing need any more, and is all of it whole? Both look and change nothing; `removeUnneeded` removes.
 */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { placeIn } from './blobs.ts';
import { isUnreadable } from './errors.ts';
import { isMissing, isTemporary, temporaryPath } from './files/atomic.ts';
import { readSeal, sealedBytesOf } from './files/sealed.ts';
import { filesInManifest } from './models.ts';
import { readLedger } from './series.ts';
import type { Store } from './store.ts';

/** Why something is not needed. */
export const unneededKinds = {
  model: 'models that no experiment, series or other model refers to',
  checkpoints: 'checkpoints of models that are finished or not needed, and of trials',
  answers: 'journals of answers that the experiments of a study shared, none of which is there any more',
  damaged: 'damaged files and folders that were set aside',
  temporary: 'temporary files that killed writers have left',
} as const;
export type UnneededKind = keyof typeof unneededKinds;

export type Unneeded = {
  readonly kind: UnneededKind;
  /** Names in the store: files and folders that go together. */
  readonly names: readonly string[];
  readonly bytes: number;
  /** Milliseconds: when any of it was written last. */
  readonly writtenAt: number;
};

/**
 * What nothing in the store refers to and nothing has written since a moment, the largest first.
 *
 * A model is needed while any document of an experiment, a series or a study has its content address, while it is the start of a needed
 * model, and while the experiment that asked for it is there, finished or not. So a running experiment loses nothing; and a model that a new
 * one finds at the very moment of its removal is made again.
 *
 * @param before milliseconds
 * @throws FileRefused and other errors of reading: then nothing is known to be unneeded
 */
export async function findUnneeded({ local }: Store, before: number): Promise<Unneeded[]> {
  const files = await filesBelow(local);
  const groups = new Map<
    string,
    { kind: UnneededKind; names: Set<string>; bytes: number; writtenAt: number }
  >();
  const documents: string[] = [];
  for (const { name, bytes, writtenAt } of files) {
    const part = partOf(name);
    if (part === null) {
      if (name.includes('/') && name.endsWith('.json') && !name.startsWith('logs/')) documents.push(name);
      continue;
    }
    const group = groups.get(part.group) ?? { kind: part.kind, names: new Set(), bytes: 0, writtenAt: 0 };
    group.names.add(part.name);
    groups.set(part.group, {
      ...group,
      bytes: group.bytes + bytes,
      writtenAt: Math.max(group.writtenAt, writtenAt),
    });
  }
  const needed = await neededBy(local, documents, files);
  return [...groups]
    .filter(([group, { kind, writtenAt }]) => writtenAt < before && !isNeeded(kind, group, needed))
    .map(([, { names, ...item }]) => ({ ...item, names: [...names].toSorted() }))
    .toSorted((a, b) => b.bytes - a.bytes);
}

/** Removes what was found, unless it was written since. Each name vanishes at once. Returns what was removed. @throws StoreNotWritable */
export async function removeUnneeded({ local }: Store, items: readonly Unneeded[]): Promise<Unneeded[]> {
  const removed: Unneeded[] = [];
  for (const item of items) {
    const now = await Promise.all(item.names.map((name) => newest(join(local, name))));
    if (Math.max(...now) > item.writtenAt) continue;
    for (const name of item.names) {
      const path = join(local, name);
      const aside = temporaryPath(path);
      await rename(path, aside).catch(unlessGone);
      await rm(aside, { recursive: true, force: true });
    }
    removed.push(item);
  }
  return removed;
}

const key = /[0-9a-f]{64}/g;

type Needed = {
  readonly keys: ReadonlySet<string>;
  readonly finished: ReadonlySet<string>;
  readonly answers: ReadonlySet<string>;
};

function isNeeded(kind: UnneededKind, group: string, { keys, finished, answers }: Needed): boolean {
  const named = group.split(' ')[1] ?? '';
  if (kind === 'model') return keys.has(named);
  if (kind === 'checkpoints') return keys.has(named) && !finished.has(named);
  return kind === 'answers' && answers.has(named);
}

/** The item that a file belongs to, if it is of a kind that may be unneeded; null for documents and rows of experiments. */
function partOf(name: string): { kind: UnneededKind; group: string; name: string } | null {
  const parts = name.split('/');
  const upTo = (index: number) => parts.slice(0, index + 1).join('/');
  const damaged = parts.findIndex((part) => /\.damaged-\d+$/.test(part));
  if (damaged >= 0) return { kind: 'damaged', group: upTo(damaged), name: upTo(damaged) };
  const temporary = parts.findIndex((part) => isTemporary(part) && part.endsWith('.tmp'));
  if (temporary >= 0) return { kind: 'temporary', group: upTo(temporary), name: upTo(temporary) };
  const [folder, entry = ''] = parts;
  if (folder === 'answers' && parts.length > 2)
    return { kind: 'answers', group: `answers ${entry}`, name: upTo(1) };
  const [, named, ending] = /^([0-9a-f]{64}|trial-[0-9a-f-]+)(\..*)?$/.exec(entry) ?? [];
  if (folder !== 'models' || named === undefined) return null;
  return ending === '.checkpoints'
    ? { kind: 'checkpoints', group: `checkpoints ${named}`, name: upTo(1) }
    : { kind: 'model', group: `model ${named}`, name: upTo(1) };
}

const requestSchema = z.object({ experiment: z.string() });
const sharingSchema = z.object({ shared_answers: z.string() });

/** The models and answers that something in the store refers to. */
async function neededBy(
  local: string,
  documents: readonly string[],
  files: readonly { readonly name: string }[],
): Promise<Needed> {
  const keys = new Set<string>();
  const answers = new Set<string>();
  const experiments = new Set<string>();
  for (const name of documents) {
    const text = await textOf(join(local, name));
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
  for (const { model, name } of ofModels) {
    const text = await textOf(join(local, name));
    texts.set(model, `${texts.get(model) ?? ''}${text}`);
    if (name.endsWith('.request.json') && experiments.has(parsed(text, requestSchema)?.experiment ?? ''))
      keys.add(model);
  }
  // A model from which a needed one was trained is needed to make that one again. A set grows while it is walked.
  for (const needed of keys) for (const [found] of (texts.get(needed) ?? '').matchAll(key)) keys.add(found);
  const finished = new Set(
    ofModels.filter(({ name }) => name.endsWith('/manifest.json')).map(({ model }) => model),
  );
  return { keys, finished, answers };
}

/** What was compared, and what is not as it was written. */
export type StoreCheck = {
  /** Sealed files, and files of models. */
  readonly files: number;
  readonly bytes: number;
  readonly faults: readonly { readonly name: string; readonly problem: string }[];
};

/** Reads all of a store that has a seal or stands in a model's manifest, and the ledgers of its series. For a store that was restored. */
export async function checkStore(store: Store): Promise<StoreCheck> {
  const faults: { name: string; problem: string }[] = [];
  let [files, bytes] = [0, 0];
  const compare = async (name: string, expected: { sha256: string; bytes: number } | null): Promise<void> => {
    const found = expected && (await sealedBytesOf(placeIn(store.blobs, name)));
    files += 1;
    bytes += found?.bytes ?? 0;
    if (found === null)
      faults.push({ name, problem: expected === null ? 'its seal cannot be read' : 'is gone' });
    else if (found.bytes !== expected?.bytes || found.sha256 !== expected.sha256)
      faults.push({ name, problem: 'does not have the bytes that were written' });
  };
  for (const name of (await store.blobs.list('')).filter((each) => partOf(each)?.kind !== 'damaged')) {
    if (name.endsWith('.ref.json')) {
      const sealed = name.slice(0, -'.ref.json'.length);
      await compare(sealed, await orNull(readSeal(placeIn(store.blobs, sealed))));
    }
    const [, model] = /^models\/([0-9a-f]{64})\/manifest\.json$/.exec(name) ?? [];
    if (model === undefined) continue;
    const inManifest = await filesInManifest(join(store.local, 'models', model)).catch(() => null);
    if (inManifest === null) faults.push({ name, problem: 'cannot be read' });
    for (const [file, expected] of Object.entries(inManifest ?? {}))
      await compare(`models/${model}/${file}`, expected);
  }
  for (const series of await seriesNames(store)) {
    try {
      await readLedger(store, series);
    } catch (error) {
      faults.push({
        name: `series/${series}`,
        problem: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return { files, bytes, faults };
}

async function seriesNames({ blobs }: Store): Promise<string[]> {
  const names = (await blobs.list('series/')).flatMap(
    (name) => /^series\/([^/]+)\/night-/.exec(name)?.[1] ?? [],
  );
  return [...new Set(names)];
}

async function orNull<Value>(reading: Promise<Value>): Promise<Value | null> {
  try {
    return await reading;
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** All files below a folder, temporary ones among them. One that vanishes meanwhile is left out. */
async function filesBelow(
  root: string,
  above = '',
): Promise<{ name: string; bytes: number; writtenAt: number }[]> {
  const entries = await readdir(join(root, above), { withFileTypes: true }).catch(noneWhenMissing);
  const found = [];
  for (const entry of entries) {
    const name = above === '' ? entry.name : `${above}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesBelow(root, name)));
    else if (entry.isFile()) {
      const at = await stat(join(root, name)).catch(unlessGone);
      if (at !== undefined) found.push({ name, bytes: at.size, writtenAt: at.mtimeMs });
    }
  }
  return found;
}

/** When anything of a file or a folder was written last; 0 when it is gone. */
async function newest(path: string): Promise<number> {
  const at = await stat(path).catch(unlessGone);
  if (at === undefined) return 0;
  if (!at.isDirectory()) return at.mtimeMs;
  return Math.max(0, ...(await filesBelow(path)).map(({ writtenAt }) => writtenAt));
}

async function textOf(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(unlessGone)) ?? '';
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

function noneWhenMissing(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}
