/** How does a folder keep the bytes of a store, on a local disk or on one that several hosts share? */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Blobs, checkedName, type Content, type Kept, piecesOf } from './blobs.ts';
import { ArtifactMissing } from './errors.ts';
import {
  errorCode,
  isMissing,
  isLeftOver,
  isTemporary,
  makeFolder,
  readError,
  syncFolder,
  temporaryPath,
  writeAndSync,
  writeAtomically,
  writeError,
} from './files/atomic.ts';

/** Blobs as files in a folder. The folder is made at the first write. */
export function fileBlobs(folder: string): Blobs {
  const root = resolve(folder);
  const pathOf = (name: string) => join(root, checkedName(name));

  return {
    where: (name) => (name === '' ? root : join(root, name)),

    async size(name) {
      const found = await unlessMissing(pathOf(name), (path) => stat(path));
      return found?.isFile() ? found.size : null;
    },

    async writtenAt(name) {
      const found = await unlessMissing(pathOf(name), (path) => stat(path));
      return found?.isFile() ? found.mtimeMs : null;
    },

    async get(name, range) {
      return unlessMissing(pathOf(name), (path) =>
        range === undefined ? readFile(path) : readRange(path, range.start, range.bytes),
      );
    },

    stream: (name) => piecesOfFile(pathOf(name)),

    async putOnce(name, content) {
      const path = pathOf(name);
      const hash = createHash('sha256');
      const temporary = temporaryPath(path);
      try {
        await makeFolder(dirname(path));
        try {
          await writeAndSync(await open(temporary, 'wx'), hashed(content, hash));
          if (!(await linkOnce(temporary, path)))
            return (await sha256OrNull(path)) === hash.digest('hex') ? 'same' : 'other';
        } finally {
          await rm(temporary, { force: true });
        }
        await syncFolder(dirname(path));
        return 'made';
      } catch (error) {
        throw writeError(path, error);
      }
    },

    replace: (name, content, beforeCommit) => writeAtomically(pathOf(name), piecesOf(content), beforeCommit),

    async list(prefix) {
      const slash = prefix.lastIndexOf('/');
      const above = prefix.slice(0, slash + 1);
      const names = await namesBelow(join(root, above), above, prefix.slice(slash + 1));
      return names.toSorted();
    },

    async everything(prefix) {
      const above = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      return (await filesBelow(root, above)).filter(({ name }) => name.startsWith(prefix));
    },

    async folders() {
      const entries = await unlessMissing(root, (path) => readdir(path, { withFileTypes: true }));
      return (entries ?? []).flatMap((entry) => (entry.isFile() ? [] : entry.name));
    },

    async move(from, to) {
      const target = pathOf(to);
      try {
        await makeFolder(dirname(target));
        await rename(pathOf(from), target);
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw writeError(target, error);
      }
    },

    async remove(name) {
      try {
        await rm(pathOf(name), { recursive: true, force: true, ...patience });
      } catch (error) {
        if (!isMissing(error)) throw writeError(pathOf(name), error);
      }
    },

    async tidy(name) {
      const entries = await unlessMissing(pathOf(name), (path) =>
        readdir(path, { recursive: true, withFileTypes: true }),
      );
      const left = (entries ?? []).filter((entry) => isLeftOver(entry.name));
      // One of them may be inside another.
      await Promise.all(
        left.map((entry) => rm(join(entry.parentPath, entry.name), { recursive: true, force: true })),
      );
    },

    async localCopy(name) {
      const path = pathOf(name);
      if ((await unlessMissing(path, (each) => stat(each))) === null) throw new ArtifactMissing(path);
      return path;
    },
  };
}

/** On NFS, a folder cannot be removed as long as a program has a removed file of it open. Milliseconds. */
const patience = { maxRetries: 5, retryDelay: 100 };

/**
 * Gives a file its name; false when the name is taken. A hard link is the only step that every shared file system grants to one host
 * only. On a file system without hard links the file is written in place, where a kill can leave a part of it.
 */
async function linkOnce(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errorCode(error) ?? '')) throw error;
  }
  let file: FileHandle;
  try {
    file = await open(path, 'wx');
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
  await writeAndSync(file, createReadStream(temporary) as AsyncIterable<Buffer>);
  return true;
}

async function readRange(path: string, start: number, bytes: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await file.read(buffer, filled, bytes - filled, start + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** @throws ArtifactMissing, FileRefused */
async function* piecesOfFile(path: string): AsyncGenerator<Buffer> {
  for (let tries = 1; ; tries += 1) {
    let begun = false;
    try {
      for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
        begun = true;
        yield piece;
      }
      return;
    } catch (error) {
      if (isMissing(error)) throw new ArtifactMissing(path);
      if (begun || !(await isStale(error, tries))) throw readError(path, error);
    }
  }
}

async function* hashed(content: Content, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const piece of piecesOf(content)) {
    hash.update(piece);
    yield piece;
  }
}

/** The hash of a file; null when this host cannot see the file yet, because another host has made it. */
async function sha256OrNull(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const piece of piecesOfFile(path)) hash.update(piece);
  } catch (error) {
    if (error instanceof ArtifactMissing) return null;
    throw error;
  }
  return hash.digest('hex');
}

/** The names of the files below a folder, from those of its entries that begin with `start`. */
async function namesBelow(folder: string, above: string, start: string): Promise<string[]> {
  const entries = (await unlessMissing(folder, (path) => readdir(path, { withFileTypes: true }))) ?? [];
  const chosen = entries.filter(({ name }) => name.startsWith(start) && !isTemporary(name));
  const files = chosen.filter((entry) => !entry.isDirectory()).map(({ name }) => `${above}${name}`);
  const within = await Promise.all(
    chosen
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => namesBelow(join(folder, name), `${above}${name}/`, '')),
  );
  return [...files, ...within.flat()];
}

/** All files below a folder, temporary ones among them. One that vanishes meanwhile is left out. */
async function filesBelow(root: string, above: string): Promise<Kept[]> {
  const found: Kept[] = [];
  for (const entry of (await unlessMissing(join(root, above), (path) =>
    readdir(path, { withFileTypes: true }),
  )) ?? []) {
    const name = `${above}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesBelow(root, `${name}/`)));
    else if (entry.isFile()) {
      const facts = await unlessMissing(join(root, name), (path) => stat(path));
      if (facts !== null) found.push({ name, bytes: facts.size, writtenAt: facts.mtimeMs });
    }
  }
  return found;
}

/** @throws FileRefused when the system refuses the read: only a file that is not there is missing */
async function unlessMissing<Value>(
  path: string,
  read: (path: string) => Promise<Value>,
): Promise<Value | null> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read(path);
    } catch (error) {
      if (isMissing(error)) return null;
      if (!(await isStale(error, tries))) throw readError(path, error);
    }
  }
}

/**
 * Whether a read failed because another host has replaced or removed the file since this one looked its name up (NFS). The next try looks
 * it up again, after a pause that grows; after half a second of tries the failure is thrown.
 */
async function isStale(error: unknown, tries: number): Promise<boolean> {
  if (errorCode(error) !== 'ESTALE' || tries === 8) return false;
  await sleep(20 * tries);
  return true;
}
