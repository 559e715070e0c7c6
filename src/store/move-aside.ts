import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { writeError } from './write-error.ts';

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
