/** Tables as JSONL: one row a line, sealed (see sealed-file.ts). */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { ArtifactDamaged, ArtifactMissing } from '../errors.ts';
import {
  type ArtifactRef,
  checkSeal,
  damageAside,
  type OnDamage,
  readSeal,
  readSealed,
  type SealedBytes,
  type SealedChunk,
  sealedLines,
  sealOf,
  sha256File,
  warnOfDamage,
  writeSealed,
} from './sealed.ts';

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

/**
 * The rows of a table's bytes, each as the schema has it.
 *
 * @throws ArtifactDamaged
 */
export function parseRows<Row>(path: string, bytes: Buffer, schema: z.ZodType<Row>): Row[] {
  const rows: Row[] = [];
  // Line by line from the bytes: a big table never is one string.
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    rows.push(parseRow(path, rows.length + 1, bytes.subarray(start, end), schema));
    start = end + 1;
  }
  return rows;
}

/** @throws ArtifactDamaged, with the row's number (1 the first) and what is wrong with it */
export function parseRow<Row>(path: string, number: number, line: Buffer, schema: z.ZodType<Row>): Row {
  const row = schema.safeParse(contentOf(line));
  if (row.success) return row.data;
  const [issue] = row.error.issues;
  const found = `row ${number}: ${issue?.path.join('.')}: ${issue?.message}`;
  throw new ArtifactDamaged(path, 'rows as this version of Colloquy writes them', found);
}

/** Undefined, which fits no schema, when the line is no JSON. */
function contentOf(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * The rows of one page of a table; none beyond its end. A process reads the table through once, against its seal, and notes where each page is
 * and its hash; after that only the page itself is read, and compared with that hash: so all pages together cost what
 * the table costs once, and damage that came in between is seen too.
 *
 * @param page 0 the first
 * @param size rows a page
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function readPage<Row>(
  path: string,
  schema: z.ZodType<Row>,
  page: number,
  size: number,
): Promise<Row[]> {
  for (let again = true; ; again = false) {
    const place = (await pagesOf(path, size))[page];
    if (place === undefined) return [];
    const bytes = await readRange(path, place);
    const { sha256 } = sealOf(bytes);
    if (sha256 === place.sha256) return parseRows(path, bytes, schema);
    // Replaced since, or damaged: the seal will tell.
    known.delete(keyOf(path, size));
    if (!again) throw new ArtifactDamaged(path, `page ${page} with sha256 ${place.sha256}`, sha256);
  }
}

type Page = SealedBytes & { readonly start: number };

/** The newest last. A worker serves few experiments at a time, and many in its life. */
const known = new Map<string, Promise<readonly Page[]>>();
const mostKnown = 16;

async function pagesOf(path: string, size: number): Promise<readonly Page[]> {
  const key = keyOf(path, size);
  const pages = known.get(key) ?? findPages(path, size);
  known.delete(key);
  known.set(key, pages);
  for (const oldest of known.keys()) {
    if (known.size <= mostKnown) break;
    known.delete(oldest);
  }
  try {
    return await pages;
  } catch (error) {
    known.delete(key);
    throw error;
  }
}

function keyOf(path: string, size: number): string {
  return `${size} ${path}`;
}

async function findPages(path: string, size: number): Promise<Page[]> {
  const pages: Page[] = [];
  let start = 0;
  let lines: Buffer[] = [];
  const endPage = (): void => {
    const bytes = Buffer.concat(lines.flatMap((line) => [line, newline]));
    pages.push({ start, ...sealOf(bytes) });
    start += bytes.length;
    lines = [];
  };
  for await (const line of sealedLines(path)) {
    lines.push(line);
    if (lines.length === size) endPage();
  }
  if (lines.length > 0) endPage();
  return pages;
}

const newline = Buffer.from('\n');

async function readRange(path: string, { start, bytes }: Page): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, start);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    // Gone: nothing of it was read.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  } finally {
    await file?.close();
  }
}
