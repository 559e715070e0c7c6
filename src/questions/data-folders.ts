/** Which files may an experiment name as its questions? A person who may start a workflow can name any path of the worker's host. */
import { realpath } from 'node:fs/promises';
import { delimiter, isAbsolute, relative, resolve, sep } from 'node:path';
import { InvalidTaskFile } from './errors.ts';

/**
 * Where COLLOQUY_DATA names folders, only files below them are read; links are followed before they are compared. Without it, a worker
 * reads what its user may read, and errors quote nothing of a file that has no rows.
 *
 * @param path that a config names, absolute
 * @throws InvalidTaskFile
 */
export async function requireDataFolder(path: string): Promise<void> {
  const folders = process.env['COLLOQUY_DATA']?.split(delimiter).filter((folder) => folder !== '') ?? [];
  if (folders.length === 0) return;
  const file = await linkFree(path);
  for (const folder of folders) if (isBelow(await linkFree(folder), file)) return;
  const message = `this worker reads the files of tasks only below ${folders.join(', ')} (its COLLOQUY_DATA)`;
  throw new InvalidTaskFile(path, [{ line: 0, message }]);
}

async function linkFree(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function isBelow(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
