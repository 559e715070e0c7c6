import { type FileHandle, open } from 'node:fs/promises';
import type { z } from 'zod';
import { ArtifactDamaged } from './artifact-damaged.ts';
import { parseRows } from './parse-rows.ts';
import { sealOf, type SealedBytes } from './sealed-file.ts';
import { sealedLines } from './sealed-lines.ts';

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
