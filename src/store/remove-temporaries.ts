import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes what killed writers left below a folder (`.NAME.UUID.tmp`: see write-atomically.ts). Nobody takes such a file for whole;
 * it only takes room. To be called when nothing is being written there.
 */
export async function removeTemporaries(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const left = entries.filter((entry) => entry.isFile() && /^\..+\.tmp$/.test(entry.name));
  await Promise.all(left.map(({ parentPath, name }) => rm(join(parentPath, name), { force: true })));
}
