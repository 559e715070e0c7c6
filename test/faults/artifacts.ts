import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** sha256 of everything that a seed determines: questions, debates, datasets, outcomes, results, weights; by relative path. */
export async function artifactsOf(storeRoot: string, name: string): Promise<Record<string, string>> {
  const digests: [string, string][] = [];
  for (const path of await filesBelow(join(storeRoot, name))) {
    const file = relative(join(storeRoot, name), path);
    if (!/\.jsonl?$/.test(file) || /\.(journal\.jsonl|ref\.json)$|damaged-/.test(file)) continue;
    digests.push([file, digest(withoutTimes(file, await readFile(path)))]);
  }
  return Object.fromEntries(digests.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Inode and time of each finished shard and model: who repeats one makes another file. */
export async function finishedWork(storeRoot: string): Promise<Map<string, string>> {
  const finished = new Map<string, string>();
  const files = new Set(await filesBelow(storeRoot));
  for (const path of files) {
    const shard = /shard-\d+\.jsonl$/.test(path) && files.has(`${path}.ref.json`);
    const model = /models\/[0-9a-f]{64}\/adapter_model\.safetensors$/.test(path);
    if (!shard && !model) continue;
    const made = await stat(path).catch(() => undefined);
    // It has just been moved aside.
    if (made === undefined) continue;
    const { ino, mtimeMs } = made;
    finished.set(relative(storeRoot, path), `${ino} ${mtimeMs}`);
  }
  return finished;
}

/** What a later run could take for whole, or trip over: temporary files, claims, unfinished models, checkpoints. */
export async function leftovers(storeRoot: string): Promise<string[]> {
  return (await filesBelow(storeRoot))
    .map((path) => relative(storeRoot, path))
    .filter((path) => /\.tmp|\.claim-\d+$|\.lock$|\.unfinished|\.checkpoints\//.test(path));
}

/** A folder that is removed meanwhile (checkpoints, when a model is finished) breaks the look; the next one does without it. */
async function filesBelow(folder: string): Promise<string[]> {
  for (;;) {
    try {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    } catch (error) {
      const { code, path } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || path === folder) throw error;
    }
  }
}

/** Seconds and the experiment's name are all of a result that a seed does not determine. */
function withoutTimes(file: string, bytes: Buffer): string | Buffer {
  if (!file.endsWith('.json')) return bytes;
  return JSON.stringify(JSON.parse(bytes.toString('utf8')), (key, value: unknown) =>
    key === 'seconds' || key === 'name' ? undefined : value,
  );
}

function digest(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
