import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporary } from './temporary-path.ts';

/**
 * Removes what killed writers left below a folder (see temporary-path.ts). Nobody takes such a file for whole;
 * it only takes room. To be called when nothing is being written there.
 */
export async function removeTemporaries(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const left = entries.filter((entry) => entry.isFile() && isTemporary(entry.name));
  await Promise.all(left.map(({ parentPath, name }) => rm(join(parentPath, name), { force: true })));
}
