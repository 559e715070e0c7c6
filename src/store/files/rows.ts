/** How is a table (JSONL: one row a line, in a sealed file) written and read? For seals see sealed.ts. */
import type { z } from 'zod';
import type { Place } from '../blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../errors.ts';
import { nullWhenDamaged, type OnDamage, warnOfDamage } from './documents.ts';
import {
  type ArtifactRef,
  checkSeal,
  misfit,
  readSeal,
  readSealed,
  refOf,
  type SealedBytes,
  sealedBytesOf,
  type SealedChunk,
  sealedLines,
  sealOf,
  writeSealed,
  writeSealedOnce,
} from './sealed.ts';

/**
 * Writes or replaces rows. Equal rows give equal bytes: the keys have the order that they have in the objects.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function writeRows(
  place: Place,
  rows: Iterable<object> | AsyncIterable<object>,
): Promise<ArtifactRef> {
  return refOf(place, await writeSealed(place, linesOf(rows)));
}

/**
 * Writes rows that are made once. Of several writers' rows the first ones stay (see `writeSealedOnce`).
 *
 * @param lines the rows, from the first one at each call
 * @returns whether these rows are the ones that stay; false when they are an earlier writer's
 * @throws DiskFull, StoreNotWritable, NotVisibleYet
 */
export async function writeRowsOnce(
  place: Place,
  lines: () => Iterable<SealedChunk> | AsyncIterable<SealedChunk>,
  schema: z.ZodType,
): Promise<boolean> {
  const { mine } = await writeSealedOnce(place, lines, async () => {
    const bytes = await place.blobs.get(place.name);
    return bytes === null ? 0 : (await parseRows(place, bytes, schema)).length;
  });
  return mine;
}

/**
 * The reference of rows that were written whole and are intact (every byte is hashed again); otherwise null. Damaged rows are set aside as
 * `<name>.damaged-N` and reported, and have to be made again.
 */
export async function findRows(place: Place, onDamage: OnDamage = warnOfDamage): Promise<ArtifactRef | null> {
  return nullWhenDamaged(place, onDamage, async () => {
    const seal = await readSeal(place);
    if (seal === null) return null;
    const found = await sealedBytesOf(place);
    if (found === null) throw new ArtifactDamaged(place.where, `${seal.bytes} bytes`, 'no file');
    checkSeal(place, found, seal);
    return refOf(place, seal);
  });
}

/**
 * All rows of a small table. The bytes are verified by their seal, each row by the schema. For a table that grows with the number of
 * questions use `streamRows` or `readPage`.
 *
 * @throws ArtifactMissing, ArtifactDamaged, OtherVersion
 */
export async function readRows<Row>(place: Place, schema: z.ZodType<Row>): Promise<Row[]> {
  const { bytes, seal } = await readSealed(place);
  if (bytes === null || seal === null) throw new ArtifactMissing(place.where);
  return parseRows(place, bytes, schema);
}

/**
 * The rows of a table of any size, one after another. Each row is verified by the schema, and all bytes by the seal after the last row:
 * only then may results of the rows be used.
 *
 * @throws ArtifactMissing, ArtifactDamaged, OtherVersion
 */
export async function* streamRows<Row>(place: Place, schema: z.ZodType<Row>): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of sealedLines(place)) yield await parseRow(place, ++number, line, schema);
}

/**
 * Like `streamRows`, but the bytes are verified before the first row, so that results of rows may be used at once. The file is read twice.
 *
 * @throws ArtifactMissing, ArtifactDamaged, OtherVersion
 */
export async function* intactRows<Row>(place: Place, schema: z.ZodType<Row>): AsyncGenerator<Row> {
  const seal = await readSeal(place);
  if (seal === null) throw new ArtifactMissing(place.where);
  await requireIntact(place, refOf(place, seal));
  yield* streamRows(place, schema);
}

/** A row as one line for every reader: some (Python's `splitlines`, JavaScript before 2019) end a line at these characters too. */
export function lineOf(row: object): string {
  const line = JSON.stringify(row).replace(
    /[\u0085\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${line}\n`;
}

/** Rows as the bytes of a table, in chunks of about 1 MB: few writes, little memory. */
export async function* linesOf(rows: Iterable<object> | AsyncIterable<object>): AsyncGenerator<SealedChunk> {
  let lines: string[] = [];
  let length = 0;
  const chunk = (): SealedChunk => ({ bytes: Buffer.from(lines.join('')), rows: lines.length });
  for await (const row of rows) {
    const line = lineOf(row);
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
 * Makes sure that referenced rows exist and have the referenced bytes.
 *
 * @throws ArtifactMissing, ArtifactDamaged, OtherVersion
 */
export async function requireIntact(place: Place, ref: ArtifactRef): Promise<void> {
  const found = await sealedBytesOf(place);
  if (found === null) throw new ArtifactMissing(place.where);
  checkSeal(place, found, ref);
}

/** @throws ArtifactDamaged or OtherVersion when a row does not fit the schema */
async function parseRows<Row>(place: Place, bytes: Buffer, schema: z.ZodType<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  // Line by line from the bytes, so that a big table is never one string.
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    const row = parseRow(place, rows.length + 1, bytes.subarray(start, end), schema);
    rows.push(row instanceof Promise ? await row : row);
    start = end + 1;
  }
  return rows;
}

/** @throws ArtifactDamaged or OtherVersion, with the row's number (1 the first) and what is wrong with it */
function parseRow<Row>(
  place: Place,
  number: number,
  line: Buffer,
  schema: z.ZodType<Row>,
): Row | Promise<never> {
  const row = schema.safeParse(contentOf(line));
  if (row.success) return row.data;
  const [issue] = row.error.issues;
  const found = `row ${number}: ${issue?.path.join('.')}: ${issue?.message}`;
  return misfit(place, found).then((error) => Promise.reject(error));
}

/** The value of a line; undefined, which fits no schema, when the line is not JSON. */
function contentOf(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * The rows of one page of a table; none beyond its end. A process reads the whole table once, compares it with its seal, and remembers
 * the position and the hash of each page. After that it reads only the page itself and compares it with that hash. So all pages together
 * take as long as one read of the table, and later damage is noticed too.
 *
 * @param page 0 is the first
 * @param size rows a page
 * @throws ArtifactMissing, ArtifactDamaged, OtherVersion
 */
export async function readPage<Row>(
  place: Place,
  schema: z.ZodType<Row>,
  page: number,
  size: number,
): Promise<Row[]> {
  for (let again = true; ; again = false) {
    const expected = (await pagesOf(place, size))[page];
    if (expected === undefined) return [];
    // Without the file the page has no bytes.
    const bytes = (await place.blobs.get(place.name, expected)) ?? Buffer.alloc(0);
    const { sha256 } = sealOf(bytes);
    if (sha256 === expected.sha256) return parseRows(place, bytes, schema);
    // The table was replaced, or is damaged. Its seal decides which.
    known.delete(keyOf(place, size));
    if (!again) throw new ArtifactDamaged(place.where, `page ${page} with sha256 ${expected.sha256}`, sha256);
  }
}

type Page = SealedBytes & { readonly start: number };

/** The pages by table and page size, the newest last. A worker serves few experiments at a time, and many in its life. */
const known = new Map<string, Promise<readonly Page[]>>();
const mostKnown = 16;

async function pagesOf(place: Place, size: number): Promise<readonly Page[]> {
  const key = keyOf(place, size);
  const pages = known.get(key) ?? findPages(place, size);
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

function keyOf({ where }: Place, size: number): string {
  return `${size} ${where}`;
}

async function findPages(place: Place, size: number): Promise<Page[]> {
  const pages: Page[] = [];
  let start = 0;
  let lines: Buffer[] = [];
  const endPage = (): void => {
    const bytes = Buffer.concat(lines.flatMap((line) => [line, newline]));
    pages.push({ start, ...sealOf(bytes) });
    start += bytes.length;
    lines = [];
  };
  for await (const line of sealedLines(place)) {
    lines.push(line);
    if (lines.length === size) endPage();
  }
  if (lines.length > 0) endPage();
  return pages;
}

const newline = Buffer.from('\n');
