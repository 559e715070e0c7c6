import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DiskFull, StoreNotWritable } from '../errors.ts';

/**
 * Writes a file so that at any moment, also after a power cut, it is there whole or not at all: a temporary sibling, fsync,
 * rename, fsync of the folder. Folders above are made.
 *
 * @param beforeRename runs when the new bytes are safe on disk and the old file is still in place
 * @throws DiskFull or StoreNotWritable; the old file is then untouched and the temporary one gone
 */
export async function writeAtomically(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  beforeRename: () => Promise<void> = async () => {},
): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryPath(path);
  try {
    await makeFolder(folder);
    try {
      await writeAndSync(await open(temporary, 'wx'), chunks);
      await beforeRename();
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw writeError(path, error);
  }
}

async function writeAndSync(
  handle: FileHandle,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    // writeFile, as a single write may stop half-way.
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Where what becomes `path` is written first: a sibling, so that a rename suffices, that no other writer has. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/** Whether a file of that name is one that `temporaryPath` gave. */
export function isTemporary(name: string): boolean {
  return /^\..+\.tmp$/.test(name);
}

/**
 * Makes a folder and those above it. Node's own `recursive` reports a read-only disk as ENOENT, which hides the cause.
 *
 * @throws what the system says, with its code
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      // Another process was quicker.
      if (!(again instanceof Error && 'code' in again && again.code === 'EEXIST')) throw again;
    });
  }
}

/**
 * Makes a folder with all that `write` puts into it, or not at all: it is filled under another name and renamed. Of two who
 * publish the same folder, on whatever hosts, one gets true; the other changes nothing and gets false.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function publishFolder(
  path: string,
  write: (folder: string) => Promise<unknown>,
): Promise<boolean> {
  const temporary = temporaryPath(path);
  try {
    await makeFolder(temporary);
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // A folder that has something in it is never replaced by a rename.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST'))
      return false;
    throw writeError(path, error);
  }
  const above = await open(dirname(path), 'r');
  try {
    await above.sync();
  } finally {
    await above.close();
  }
  return true;
}

/**
 * Moves what is damaged (a file or a folder) to `<path>.damaged-N`, for a person to look at. Returns where it is now; null when
 * there was nothing.
 *
 * @throws StoreNotWritable
 */
export async function moveAside(path: string): Promise<string | null> {
  let number = 1;
  while (existsSync(`${path}.damaged-${number}`)) number++;
  const aside = `${path}.damaged-${number}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw writeError(path, error);
  }
  return aside;
}

/**
 * Removes what killed writers left below a folder, files and folders (see temporary-path.ts). Nobody takes them for whole;
 * they only take room. To be called when nothing is being written there.
 */
export async function removeTemporaries(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const left = entries.filter(({ name }) => isTemporary(name));
  // One may lie within another.
  await Promise.all(
    left.map(({ parentPath, name }) => rm(join(parentPath, name), { recursive: true, force: true })),
  );
}

/** The cause of a failed write, named: DiskFull, StoreNotWritable, or the error as it is. */
export function writeError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG': // the limit on a file's size (`ulimit -f`)
      return new DiskFull(path, error);
    case 'ENOTDIR': // a file where a folder should be
    case 'ENAMETOOLONG':
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new StoreNotWritable(path, error);
    default:
      return error;
  }
}
