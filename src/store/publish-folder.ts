import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './make-folder.ts';
import { temporaryPath } from './temporary-path.ts';
import { writeError } from './write-error.ts';

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
