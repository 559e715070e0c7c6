import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from './sha256-file.ts';

const hashes = new Map<string, Promise<string>>();

/**
 * Names a base model by its weights: `<file>:<sha256>` of each .safetensors file of a folder, so that another model under the same
 * path is another model. A model that is not a folder here (a hub id) is named by its id. Weights are hashed once a process,
 * as long as their size and time stay.
 */
export async function baseModelHash(location: string): Promise<string> {
  const names = (await readdir(location).catch(() => []))
    .filter((name) => name.endsWith('.safetensors'))
    .toSorted();
  if (names.length === 0) return location;
  return (
    await Promise.all(names.map(async (name) => `${name}:${await hashOnce(join(location, name))}`))
  ).join(',');
}

async function hashOnce(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  const key = `${path}:${size}:${mtimeMs}`;
  const hash = hashes.get(key) ?? sha256File(path);
  hashes.set(key, hash);
  return hash;
}
