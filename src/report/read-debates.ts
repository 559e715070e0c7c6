import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DebateRow, debateRowSchema } from '../store/records/rows.ts';
import { readRows } from '../store/files/rows.ts';

/**
 * The debates of a folder of shards, shard by shard, as far as shards are finished; none when there is no such folder.
 *
 * @throws ArtifactDamaged
 */
export async function* readDebates(folder: string): AsyncGenerator<DebateRow> {
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names.filter((each) => shardName.test(each)).toSorted(byNumber)) {
    // A shard is whole only with its seal.
    if (names.includes(`${name}.ref.json`)) yield* await readRows(join(folder, name), debateRowSchema);
  }
}

const shardName = /^shard-(\d+)\.jsonl$/;

function byNumber(a: string, b: string): number {
  return Number(shardName.exec(a)?.[1]) - Number(shardName.exec(b)?.[1]);
}
