/** Which weights does a base model have? */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileBlobs } from './blobs-file.ts';
import { ArtifactMissing } from './errors.ts';
import { isMissing, readError } from './files/atomic.ts';
import { sealedBytesOf } from './files/sealed.ts';

/**
 * A base model's name by its weights: `<file>:<sha256>` of each .safetensors file of a folder, so that another model at the same path has
 * another name. A model that is not a local folder has its hub id as its name. A file is hashed once a process, and again when its size
 * or time changes.
 */
export async function baseModelHash(location: string): Promise<string> {
  const names = (await filesIn(location)).filter((name) => name.endsWith('.safetensors')).toSorted();
  if (names.length === 0) return location;
  return (await Promise.all(names.map(async (name) => `${name}:${await hashOnce(location, name)}`))).join(
    ',',
  );
}

/** The names in a folder; none when it is not a local folder. Other failures are thrown: they do not mean that it is not local. */
async function filesIn(location: string): Promise<string[]> {
  try {
    return await readdir(location);
  } catch (error) {
    if (isMissing(error)) return [];
    throw readError(location, error);
  }
}

const hashes = new Map<string, Promise<string>>();

async function hashOnce(folder: string, name: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(folder, name));
  const key = `${join(folder, name)}:${size}:${mtimeMs}`;
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = hashOf(folder, name);
  hashes.set(key, hash);
  // After a failed read the next call tries again.
  hash.catch(() => hashes.delete(key));
  return hash;
}

async function hashOf(folder: string, name: string): Promise<string> {
  const blobs = fileBlobs(folder);
  const found = await sealedBytesOf({ blobs, name, where: blobs.where(name) });
  if (found === null) throw new ArtifactMissing(join(folder, name));
  return found.sha256;
}
