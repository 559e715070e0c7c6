/** Tables as JSONL: one row a line, sealed (see sealed-file.ts). */
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { ArtifactDamaged } from './artifact-damaged.ts';
import { ArtifactMissing } from './artifact-missing.ts';
import type { ArtifactRef } from './artifact-ref.ts';
import { damageAside } from './damage-aside.ts';
import { type OnDamage, warnOfDamage } from './damage.ts';
import { checkSeal, readIfThere, readSealed, type SealedChunk, writeSealed } from './sealed-file.ts';

/**
 * Writes rows, replacing what is there. Equal rows give equal bytes: keys stand in the order that the objects have them.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writeRows(path: string, rows: Iterable<object>): Promise<ArtifactRef> {
  return { uri: pathToFileURL(path).href, ...(await writeSealed(path, linesOf(rows))) };
}

/**
 * The reference of rows that were written whole and are intact (every byte is hashed again), else null. Damaged ones are
 * moved to `<path>.damaged-N` first, and told: they are then to be made again.
 */
export async function findRows(path: string, onDamage: OnDamage = warnOfDamage): Promise<ArtifactRef | null> {
  return damageAside(path, onDamage, async () => {
    const { bytes, seal } = await readSealed(path);
    if (seal === null) return null;
    if (bytes === null) throw new ArtifactDamaged(path, `${seal.bytes} bytes`, 'no file');
    return { uri: pathToFileURL(path).href, ...seal };
  });
}

/**
 * Rows, verified: the bytes by their hash, each row by the schema.
 *
 * @param from a reference, or the path of rows whose own seal is trusted
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function readRows<Row>(from: ArtifactRef | string, schema: z.ZodType<Row>): Promise<Row[]> {
  const path = typeof from === 'string' ? from : fileURLToPath(from.uri);
  const { bytes, seal } =
    typeof from === 'string' ? await readSealed(path) : { bytes: await readIfThere(path), seal: from };
  if (bytes === null || seal === null) throw new ArtifactMissing(path);
  if (typeof from !== 'string') checkSeal(path, bytes, from);
  const rows: Row[] = [];
  // Line by line from the bytes: a big table never is one string.
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    const row = schema.safeParse(JSON.parse(bytes.toString('utf8', start, end)));
    if (!row.success) {
      const [issue] = row.error.issues;
      const found = `row ${rows.length + 1}: ${issue?.path.join('.')}: ${issue?.message}`;
      throw new ArtifactDamaged(path, 'rows as this version of Colloquy writes them', found);
    }
    rows.push(row.data);
    start = end + 1;
  }
  return rows;
}

/** About 1 MB a chunk: few writes, little memory. */
function* linesOf(rows: Iterable<object>): Generator<SealedChunk> {
  let lines: string[] = [];
  let length = 0;
  const chunk = (): SealedChunk => ({ bytes: Buffer.from(lines.join('')), rows: lines.length });
  for (const row of rows) {
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
  const bytes = await readIfThere(path);
  if (bytes === null) throw new ArtifactMissing(path);
  checkSeal(path, bytes, ref);
}
