/** Tables as JSONL: one row a line, sealed (see sealed-file.ts). */
import { stat } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { ArtifactDamaged } from './artifact-damaged.ts';
import { ArtifactMissing } from './artifact-missing.ts';
import type { ArtifactRef } from './artifact-ref.ts';
import { damageAside } from './damage-aside.ts';
import { type OnDamage, warnOfDamage } from './damage.ts';
import { parseRow, parseRows } from './parse-rows.ts';
import {
  checkSeal,
  readSeal,
  readSealed,
  type SealedBytes,
  type SealedChunk,
  writeSealed,
} from './sealed-file.ts';
import { sealedLines } from './sealed-lines.ts';
import { sha256File } from './sha256-file.ts';

/**
 * Writes rows, replacing what is there. Equal rows give equal bytes: keys stand in the order that the objects have them.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writeRows(
  path: string,
  rows: Iterable<object> | AsyncIterable<object>,
): Promise<ArtifactRef> {
  return { uri: pathToFileURL(path).href, ...(await writeSealed(path, linesOf(rows))) };
}

/**
 * The reference of rows that were written whole and are intact (every byte is hashed again), else null. Damaged ones are
 * moved to `<path>.damaged-N` first, and told: they are then to be made again.
 */
export async function findRows(path: string, onDamage: OnDamage = warnOfDamage): Promise<ArtifactRef | null> {
  return damageAside(path, onDamage, async () => {
    const seal = await readSeal(path);
    if (seal === null) return null;
    await requireBytes(path, seal, () => new ArtifactDamaged(path, `${seal.bytes} bytes`, 'no file'));
    return { uri: pathToFileURL(path).href, ...seal };
  });
}

/**
 * All rows of a small table, verified: the bytes by their seal, each row by the schema. A table that grows with the number of questions
 * is read by `streamRows` or `readPage`.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function readRows<Row>(path: string, schema: z.ZodType<Row>): Promise<Row[]> {
  const { bytes, seal } = await readSealed(path);
  if (bytes === null || seal === null) throw new ArtifactMissing(path);
  return parseRows(path, bytes, schema);
}

/**
 * Rows one after another, however many there are, each verified by the schema and the whole by its seal once the last one was
 * given: what is made of them counts only then.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* streamRows<Row>(path: string, schema: z.ZodType<Row>): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of sealedLines(path)) yield parseRow(path, ++number, line, schema);
}

/** Rows as the bytes of a table, about 1 MB a chunk: few writes, little memory. */
export async function* linesOf(rows: Iterable<object> | AsyncIterable<object>): AsyncGenerator<SealedChunk> {
  let lines: string[] = [];
  let length = 0;
  const chunk = (): SealedChunk => ({ bytes: Buffer.from(lines.join('')), rows: lines.length });
  for await (const row of rows) {
    const line = `${JSON.stringify(row)}\n`;
    lines.push(line);
    length += line.length;
    if (length < 1_000_000) continue;
    yield chunk();
    lines = [];
    length = 0;
  }
  if (lines.length > 0) yield chunk();
}

/**
 * Makes sure that referenced rows are there and have the referenced bytes.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function requireIntact(ref: ArtifactRef): Promise<void> {
  const path = fileURLToPath(ref.uri);
  await requireBytes(path, ref, () => new ArtifactMissing(path));
}

/** Reads a file through without holding it. */
async function requireBytes(path: string, seal: SealedBytes, missing: () => Error): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw missing();
  checkSeal(path, { bytes: found.size, sha256: await sha256File(path) }, seal);
}
