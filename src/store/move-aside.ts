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
  if (!existsSync(path)) return null;
  try {
    await rename(path, aside);
  } catch (error) {
    throw writeError(path, error);
  }
  return aside;
}
