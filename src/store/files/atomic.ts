/** How are local files and folders written so that a kill or a power cut never leaves a part of one under its name? */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { constants, hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DiskFull, FileRefused, StoreNotWritable } from '../errors.ts';

/**
 * Writes a file so that at any moment, also after a power cut, the whole file exists or none. The steps: a temporary file in the same
 * folder, fsync, rename, fsync of the folder. Makes the folders above it.
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
    await syncFolder(folder);
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Writes all chunks to the file, makes them safe on disk and closes the file. */
export async function writeAndSync(
  handle: FileHandle,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    // writeFile, because a single write may stop half-way.
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the names in a folder safe on disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * A name in the folder of `path` that no other writer has, for a file that is later renamed to `path`. It contains the id of the writing process: see
 * `isLeftOver`.
 */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${thisHost}-${process.pid}-${randomUUID()}.tmp`);
}

const thisHost = crc32(hostname()).toString(36);

/**
 * Whether a file is nobody's result: one that `temporaryPath` has named, or one that was removed while a program had it open, which NFS
 * keeps as `.nfsXXXX` until the program closes it.
 */
export function isTemporary(name: string): boolean {
  return /^\..+\.tmp$|^\.nfs[0-9a-f]{24}$/.test(name);
}

/**
 * Whether a temporary file or folder is one that a killed writer has left. False while its process lives, e.g. an export that goes on while
 * an experiment ends, and on another host, whose processes cannot be seen.
 */
export function isLeftOver(name: string): boolean {
  if (!name.endsWith('.tmp') || !isTemporary(name)) return false;
  const [, host, pid] = /\.([0-9a-z]+)-(\d+)-[0-9a-f-]{36}\.tmp$/.exec(name) ?? [];
  // Names of earlier versions do not contain the process.
  return pid === undefined || (host === thisHost && !isAlive(Number(pid)));
}

/** Whether a process of this machine lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives and belongs to another user.
    return errorCode(error) === 'EPERM';
  }
}

/**
 * Makes a folder and the folders above it. Node's own `recursive` reports a read-only disk as ENOENT, which hides the cause.
 *
 * @throws the system's error, with its code
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      // Another process was quicker.
      if (errorCode(again) !== 'EEXIST') throw again;
    });
  }
}

/**
 * Makes a folder with everything that `write` puts into it, or no folder: it is filled under a temporary name and then renamed. Of two
 * writers of one folder, one gets true; the other gets false and changes nothing. For folders outside the store.
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
    // A rename never replaces a folder that has something in it.
    if (errorCode(error) === 'ENOTEMPTY' || errorCode(error) === 'EEXIST') return false;
    throw writeError(path, error);
  }
  await syncFolder(dirname(path));
  return true;
}

/** The system's code of an error, e.g. `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  if (!error.code.startsWith('Unknown system error')) return error.code;
  return 'errno' in error ? codesByNumber.get(Number(error.errno)) : undefined;
}

/** Node has no names for some errors of shared file systems and of quotas (ESTALE, EDQUOT), though it knows their numbers. */
const codesByNumber: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([code, number]) => [-number, code]),
);

/** The error of a failed write as DiskFull or StoreNotWritable, if it is one of these; otherwise the error itself. */
export function writeError(path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  nameCode(error);
  switch (errorCode(error)) {
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
    case 'EMFILE':
    case 'ENFILE':
      return readError(path, error);
    default:
      return error;
  }
}

/**
 * The error of a failed read as FileRefused when the system refused it. Another error, and one which means that there is no such file, is
 * returned as it is.
 */
export function readError(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (!(error instanceof Error) || code === undefined || !('syscall' in error) || isMissing(error))
    return error;
  nameCode(error);
  return new FileRefused(path, code, error);
}

/** Writes the code of an error for which Node has no name into its message. */
function nameCode(error: Error): void {
  const code = errorCode(error);
  if (code !== undefined) error.message = error.message.replaceAll(/Unknown system error -\d+/g, code);
}

/** Whether an error means that there is no such file. Other failures (rights, too many open files) do not mean that. */
export function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
