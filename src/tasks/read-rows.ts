import { readFile, stat } from 'node:fs/promises';
import { InvalidTaskFile } from './invalid-task-file.ts';

/** A row of a file, not checked yet, or why it is none. `line` counts from 1: the line, or the row of a Parquet file. */
export type Row = { readonly line: number } & ({ readonly content: unknown } | { readonly fault: string });

/**
 * The rows of a file: of JSON lines (empty ones are skipped), or of a Parquet file when its name ends in `.parquet`.
 *
 * @param path absolute
 * @throws InvalidTaskFile when it is missing, empty, no text in UTF-8, or no Parquet file
 */
export async function readRows(path: string): Promise<Row[]> {
  await requireOrdinaryFile(path);
  const rows = path.endsWith('.parquet') ? await parquetRows(path) : await lines(path);
  if (rows.length === 0) throw new InvalidTaskFile(path, [{ line: 0, message: 'it is empty' }]);
  return rows;
}

/** A device or a pipe has no end that could be waited for. */
async function requireOrdinaryFile(path: string): Promise<void> {
  const message = await stat(path).then(
    (found) => (found.isFile() ? null : 'it cannot be read: it is no ordinary file'),
    (error: unknown) => `it cannot be read: ${messageOf(error)}`,
  );
  if (message !== null) throw new InvalidTaskFile(path, [{ line: 0, message }]);
}

async function parquetRows(path: string): Promise<Row[]> {
  // Only now, as most workers never read such a file.
  const [{ asyncBufferFromFile, parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  try {
    const contents = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
    return contents.map((content, index) => ({ line: index + 1, content }));
  } catch (error) {
    const message = `it cannot be read as Parquet: ${messageOf(error)}`;
    throw new InvalidTaskFile(path, [{ line: 0, message }]);
  }
}

async function lines(path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, line] of (await readText(path)).split('\n').entries()) {
    if (line.trim() === '') continue;
    rows.push({ line: index + 1, ...parsed(line) });
  }
  return rows;
}

function parsed(line: string): { content: unknown } | { fault: string } {
  try {
    return { content: JSON.parse(line) };
  } catch (error) {
    return { fault: `no JSON: ${messageOf(error)}` };
  }
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new InvalidTaskFile(path, [{ line: 0, message: `it cannot be read: ${messageOf(error)}` }]);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidTaskFile(path, [{ line: 0, message: 'it is not text in UTF-8' }]);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
