/** Where do programs read what is in a bucket? In copies on this host, which have a limit together and may be removed at any time. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { CacheFull } from './errors.ts';
import {
  errorCode,
  isLeftOver,
  isMissing,
  makeFolder,
  publishFolder,
  temporaryPath,
  writeAndSync,
} from '../files/atomic.ts';
import type { Listed } from './objects.ts';

/**
 * Copies by content: a copy's folder is named by a hash of what the server says of its objects (their names within it, sizes and tags), so
 * a changed object is another copy, and the same files under two names are one.
 */
export type Cache = {
  /**
   * The path of a copy of these objects, which `name` is or has below it. It stays for a day after it was last asked for.
   *
   * @throws CacheFull, DiskFull, and what `read` throws
   */
  readonly copy: (name: string, objects: readonly Listed[], read: Read) => Promise<string>;
  /** The bytes of an object of which this process has a copy, if the copy is intact and still what the store has; otherwise null. */
  readonly find: (name: string, look: () => Promise<Listed | null>) => Promise<AsyncIterable<Buffer> | null>;
};
type Read = (object: Listed) => AsyncIterable<Buffer>;

/** What was asked for within this time may still be read: a server loads an adapter again when it needs it. */
const inUseMs = 24 * 3_600_000;
const gb = 1e9;

/** In each copy: the SHA-256 of its files, by their names in the store's folder. */
const hashesFile = 'sha256.json';
const hashesSchema = z.record(z.string(), z.string());

export function createCache(folder: string, limitGb: number): Cache {
  /** By the copy's folder: what is being made. */
  const making = new Map<string, Promise<void>>();
  /** What this process has copies of, by name. */
  const known = new Map<string, { readonly copy: string; readonly path: string; readonly tag: string }>();

  async function make(copy: string, name: string, objects: readonly Listed[], read: Read): Promise<void> {
    await makeRoom(
      folder,
      limitGb,
      objects.reduce((sum, { bytes }) => sum + bytes, 0),
      name,
    );
    // Another process may make the same copy: one of the two stays.
    await publishFolder(copy, async (temporary) => {
      const hashes: Record<string, string> = {};
      for (const object of objects) {
        const path = join(temporary, within(name, object.name));
        await makeFolder(dirname(path));
        const hash = createHash('sha256');
        await writeAndSync(await open(path, 'wx'), hashing(read(object), hash));
        hashes[within(name, object.name)] = hash.digest('hex');
      }
      await writeFile(join(temporary, hashesFile), JSON.stringify(hashes));
    });
  }

  return {
    async copy(name, objects, read) {
      const copy = join(folder, identityOf(name, objects));
      for (;;) {
        await (making.get(copy) ?? begin());
        // Says that it is in use. Where another process has just removed it, it is made again.
        if (await touched(copy)) break;
      }
      for (const object of objects)
        known.set(object.name, { copy, path: within(name, object.name), tag: object.tag });
      return join(copy, basename(name));

      async function begin(): Promise<void> {
        if (await touched(copy)) return;
        const made = making.get(copy) ?? make(copy, name, objects, read).finally(() => making.delete(copy));
        making.set(copy, made);
        await made;
      }
    },

    async find(name, look) {
      const found = known.get(name);
      if (found === undefined || (await look())?.tag !== found.tag) return null;
      const path = join(found.copy, found.path);
      if (await isIntact(found.copy, found.path)) return createReadStream(path) as AsyncIterable<Buffer>;
      // The disk has spoilt it. What the store has may be intact.
      known.delete(name);
      await drop(found.copy);
      return null;
    },
  };
}

/** An object's path in a copy: it begins with the last part of the copied name. */
function within(name: string, object: string): string {
  return `${basename(name)}${object.slice(name.length)}`;
}

function identityOf(name: string, objects: readonly Listed[]): string {
  const facts = objects.map(({ name: each, bytes, tag }) => [within(name, each), bytes, tag]);
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
}

async function* hashing(
  bytes: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
}

async function isIntact(copy: string, path: string): Promise<boolean> {
  try {
    const hashes = hashesSchema.parse(JSON.parse(await readFile(join(copy, hashesFile), 'utf8')));
    const hash = createHash('sha256');
    for await (const piece of createReadStream(join(copy, path)) as AsyncIterable<Buffer>) hash.update(piece);
    return hash.digest('hex') === hashes[path];
  } catch {
    return false;
  }
}

/** Whether the copy is there; it then counts as used now. */
async function touched(copy: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(copy, now, now);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Removes the copies that were used longest ago, until there is room for as many bytes more. @throws CacheFull */
async function makeRoom(folder: string, limitGb: number, bytes: number, name: string): Promise<void> {
  const copies = await copiesIn(folder);
  let taken = copies.reduce((sum, copy) => sum + copy.bytes, 0);
  const unused = copies.filter(({ usedAt }) => Date.now() - usedAt > inUseMs);
  for (const copy of unused.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (taken + bytes <= limitGb * gb) return;
    await drop(copy.path);
    taken -= copy.bytes;
  }
  if (taken + bytes <= limitGb * gb) return;
  throw new CacheFull(folder, limitGb, `${name} (${(bytes / gb).toPrecision(3)} GB)`);
}

async function copiesIn(folder: string) {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const left = names.filter(isLeftOver);
  await Promise.all(left.map((each) => rm(join(folder, each), { recursive: true, force: true })));
  const copies = await Promise.all(
    names
      .filter((each) => !left.includes(each))
      .map(async (each) => {
        const path = join(folder, each);
        const facts = await stat(path).catch(() => null);
        return facts === null ? [] : [{ path, usedAt: facts.mtimeMs, bytes: await bytesIn(path) }];
      }),
  );
  return copies.flat();
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) =>
        stat(join(parentPath, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Removes a copy at once for all who look for it, and then its files. */
async function drop(copy: string): Promise<void> {
  const gone = temporaryPath(copy);
  try {
    await rename(copy, gone);
  } catch (error) {
    if (isMissing(error) || errorCode(error) === 'ENOTEMPTY') return;
    throw error;
  }
  await rm(gone, { recursive: true, force: true });
}
