import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { experimentNameSchema } from '../config/names.ts';
import type { Store } from './store.ts';

/**
 * The experiment whose result.json was written last in the store's folder on this machine; null when there is none. Where another program
 * has touched the files, that may be another one than finished last.
 */
export async function newestFinished(store: Store): Promise<string | null> {
  const finished = await Promise.all(
    (await namesInStore(store)).map(async (name) => ({
      name,
      at: await writtenAt(join(store.local, name, 'result.json')),
    })),
  );
  const newest = finished.toSorted((a, b) => b.at - a.at)[0];
  return newest === undefined || newest.at === 0 ? null : newest.name;
}

/** The names in the store's folder on this machine that may be experiments'. */
export async function namesInStore({ local }: Store): Promise<string[]> {
  const names = await readdir(local).catch(() => []);
  return names.filter((name) => experimentNameSchema.safeParse(name).success);
}

async function writtenAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
