import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporary } from './temporary-path.ts';

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
