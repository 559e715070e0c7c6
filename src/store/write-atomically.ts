import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './make-folder.ts';
import { temporaryPath } from './temporary-path.ts';
import { writeError } from './write-error.ts';

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
