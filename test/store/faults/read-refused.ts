/**
 * Fills a store, then tries to read it while the system refuses: `handles` uses up this process's file handles, `rights` removes the right
 * to read. Prints as JSON how each read ended, which files were moved, and how the same reads end when the system allows them again.
 */
import { chmodSync, closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { findDocument, writeDocument } from '../../../src/store/files/documents.ts';
import { findRows, readPage, writeRows } from '../../../src/store/files/rows.ts';
import { baseModelHash } from '../../../src/store/base-model-files.ts';
import { findModel, sealModel } from '../../../src/store/models.ts';
import { readDebates } from '../../../src/store/records/rows.ts';
import { readLedger } from '../../../src/store/series.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { devServerOf, holdDatabase } from '../../../src/workers/dev-server-process.ts';
import { writeModel } from '../../export/exportable-experiment.ts';

const [root = '', means = ''] = process.argv.slice(2);
const store = openStore(root);
const files = experimentFiles(store, 'mine');
const key = 'a'.repeat(64);
const anything = z.unknown();

await writeRows(files.shard(1, 'train', 0), [{ n: 1 }]);
await writeDocument(files.config, { n: 1 });
await writeDocument(store.place('series/demo/night-00001/night.json'), { n: 1 });
writeModel(store, key, 'weights');
await sealModel(store, key);
const base = store.model(key).where;
const database = join(root, 'temporal.db');
holdDatabase(database, { pid: process.pid, startedBy: process.pid, address: '127.0.0.1:1' });

const reads = {
  rows: () => findRows(files.shard(1, 'train', 0)),
  document: () => findDocument(files.config, anything),
  page: () => readPage(files.shard(1, 'train', 0), anything, 0, 1),
  debates: () => readDebates(files.debates(1, 'train')).next(),
  model: () => findModel(store, key),
  ledger: () => readLedger(store, 'demo'),
  base: () => baseModelHash(base),
  server: async () => devServerOf(database) ?? null,
};
const ends = async (): Promise<Record<string, string>> => {
  const endings: Record<string, string> = {};
  for (const [what, read] of Object.entries(reads)) {
    endings[what] = await read().then(
      (found) => (found === null ? 'null' : 'found'),
      (error: unknown) => (error as { code?: string }).code ?? (error as Error).name,
    );
  }
  return endings;
};
const entries = () => readdirSync(root, { recursive: true, withFileTypes: true });
const filesThere = entries().filter((entry) => entry.isFile());

const handles: number[] = [];
function refuse(): void {
  if (means === 'rights') {
    for (const { parentPath, name } of filesThere) chmodSync(join(parentPath, name), 0o000);
    return;
  }
  try {
    for (;;) handles.push(openSync('/dev/null', 'r'));
  } catch {
    // None is left.
  }
}
function allow(): void {
  for (const handle of handles) closeSync(handle);
  if (means === 'rights')
    for (const { parentPath, name } of filesThere) chmodSync(join(parentPath, name), 0o644);
}

refuse();
const refused = await ends();
allow();
const moved = entries()
  .filter(({ name }) => name.includes('damaged'))
  .map(({ name }) => name);
writeFileSync(1, JSON.stringify({ refused, moved, allowed: await ends() }));
