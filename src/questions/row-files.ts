/** How are the rows of a user's own file read? JSON lines, a JSON list or Parquet; compressed with gzip or not; UTF-8 or UTF-16. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, relative, resolve, sep } from 'node:path';
import { createGunzip } from 'node:zlib';
import type { TaskConfig } from '../config/tasks.ts';
import { InvalidTaskFile, isParquet, TaskFileNotReadable } from './errors.ts';

/** A row of a file, not checked yet, or why it is none. `line` counts from 1: the line, or the row of a list or a Parquet file. */
export type Row = { readonly line: number } & ({ readonly content: unknown } | { readonly fault: string });

/** A longer line would fill the memory before it could be checked. Characters. */
const longestLine = 16_000_000;
/** The same of a JSON list, which is read as a whole. */
const longestList = 64_000_000;

/**
 * The rows of a file, one after another, so that a file may be larger than memory: of JSON lines (empty ones are skipped), of one JSON
 * list, or of a Parquet file when its name ends in `.parquet`.
 *
 * @param path absolute
 * @throws InvalidTaskFile when it is missing, empty, no text, or no Parquet file; TaskFileNotReadable
 */
export async function* readRows(path: string): AsyncGenerator<Row> {
  await requireOrdinaryFile(path);
  let rows = 0;
  for await (const row of isParquet(path) ? parquetRows(path) : jsonRows(path)) {
    rows += 1;
    yield row;
  }
  if (rows === 0) throw invalid(path, 'it is empty');
}

/** The SHA-256 of a file's bytes; null when it cannot be read. */
async function fileHash(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
    return hash.digest('hex');
  } catch {
    return null;
  }
}

/** The hashes of the user's own files that tasks read their questions from, by path; without those that cannot be read here. */
export async function questionFileHashes(tasks: readonly TaskConfig[]): Promise<Record<string, string>> {
  const paths = tasks.flatMap((task) => [
    ...('train_file' in task ? [task.train_file, task.test_file, task.validation_file] : []),
    ...('decontaminate' in task ? (task.decontaminate ?? []).filter((set) => typeof set === 'string') : []),
  ]);
  const hashes: Record<string, string> = {};
  for (const path of new Set(paths.filter((each) => each !== undefined))) {
    const hash = await fileHash(resolve(path));
    if (hash !== null) hashes[path] = hash;
  }
  return hashes;
}

function invalid(path: string, message: string): InvalidTaskFile {
  return new InvalidTaskFile(path, [{ line: 0, message }]);
}

/** Devices and pipes are refused: they may never end. */
async function requireOrdinaryFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw readFault(path, 'it cannot be read', error);
  });
  if (!found.isFile()) throw invalid(path, 'it cannot be read: it is no ordinary file');
}

/** What only this worker, or only this moment, keeps from being read is no fault of the file. */
function readFault(path: string, what: string, error: unknown): InvalidTaskFile | TaskFileNotReadable {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof Error && mayPass.has(code)) return new TaskFileNotReadable(path, error);
  return invalid(path, `${what}: ${messageOf(error)}`);
}

const mayPass = new Set(
  'EACCES EPERM EMFILE ENFILE EIO ESTALE EBUSY EAGAIN ENOMEM ETIMEDOUT EHOSTDOWN ENOTCONN'.split(' '),
);

async function* parquetRows(path: string): AsyncGenerator<Row> {
  // Only now, as most workers never read such a file.
  const [{ asyncBufferFromFile, parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  let contents: unknown[];
  try {
    contents = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
  } catch (error) {
    throw readFault(path, 'it cannot be read as Parquet', error);
  }
  for (const [index, content] of contents.entries()) yield { line: index + 1, content };
}

async function* jsonRows(path: string): AsyncGenerator<Row> {
  let line = 0;
  /** The lines of a list that goes over several lines, from its first one. */
  let list: string[] | undefined;
  let length = 0;
  for await (const text of textLines(path)) {
    line += 1;
    if (list !== undefined) {
      list.push(text);
      length += text.length;
      if (length > longestList) throw tooLong(path, 'its JSON list', longestList);
    } else if (text.trim() !== '') {
      const row = parsed(text);
      // Every line of JSON lines is a value of its own: only a file that begins with a bracket and has no value there is a list.
      if (line === 1 && 'fault' in row && text.trimStart().startsWith('[')) list = [text];
      else if (line === 1 && 'content' in row && isListOfObjects(row.content)) yield* ofList(row.content);
      else yield { line, ...row };
    }
  }
  if (list === undefined) return;
  const whole = parsed(list.join('\n'));
  if ('content' in whole && Array.isArray(whole.content)) yield* ofList(whole.content);
  // It is no list after all: each line is named with its own fault.
  else
    for (const [index, text] of list.entries())
      if (text.trim() !== '') yield { line: index + 1, ...parsed(text) };
}

function isListOfObjects(content: unknown): content is object[] {
  return (
    Array.isArray(content) &&
    content.length > 0 &&
    content.every((each) => typeof each === 'object' && !Array.isArray(each))
  );
}

function* ofList(contents: readonly unknown[]): Generator<Row> {
  for (const [index, content] of contents.entries()) yield { line: index + 1, content };
}

function parsed(line: string): { content: unknown } | { fault: string } {
  try {
    return { content: JSON.parse(line) };
  } catch (error) {
    return { fault: `no JSON${whereItStops(messageOf(error))}` };
  }
}

/** The engine's own words about bad JSON quote the text, and any file of the worker's host can be named as a task file. */
function whereItStops(words: string): string {
  if (/end of JSON input/.test(words)) return ': the line ends too early';
  const place = /at position (\d+)/.exec(words)?.[1];
  return place === undefined ? '' : `: it is wrong from character ${Number(place) + 1} on`;
}

/** The lines of a text, without their ends. */
async function* textLines(path: string): AsyncGenerator<string> {
  let begun = '';
  for await (const text of decoded(path)) {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    yield* lines;
    if (begun.length > longestLine) throw tooLong(path, 'one of its lines', longestLine);
  }
  if (begun !== '') yield begun;
}

function tooLong(path: string, what: string, longest: number): InvalidTaskFile {
  return invalid(path, `${what} is longer than ${longest / 1e6} MB: write one object a line`);
}

/** The text of a file, in pieces. */
async function* decoded(path: string): AsyncGenerator<string> {
  const encoding = await encodingOf(path);
  const decoder = new TextDecoder(encoding.text, { fatal: true });
  const bytes = createReadStream(path, { highWaterMark: 1_000_000 });
  const pieces = encoding.gzip ? bytes.pipe(createGunzip()) : bytes;
  // An error of the file does not reach the end of a pipe by itself.
  bytes.on('error', (error) => pieces.destroy(error));
  try {
    for await (const piece of pieces as AsyncIterable<Buffer>) yield decoder.decode(piece, { stream: true });
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw invalid(path, `it is not text in ${encoding.text.toUpperCase()}`);
    throw readFault(path, encoding.gzip ? 'it cannot be read as gzip' : 'it cannot be read', error);
  } finally {
    bytes.destroy();
  }
}

type Encoding = { readonly text: 'utf-8' | 'utf-16le' | 'utf-16be'; readonly gzip: boolean };

/** Other forms of compression by the first bytes of a file. */
const compressions: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
];

async function encodingOf(path: string): Promise<Encoding> {
  const start = await firstBytes(path).catch((error: unknown) => {
    throw readFault(path, 'it cannot be read', error);
  });
  const begins = (...bytes: readonly number[]) => bytes.every((byte, index) => start[index] === byte);
  if (begins(0x1f, 0x8b)) return { text: 'utf-8', gzip: true };
  for (const [name, bytes] of compressions)
    if (begins(...bytes))
      throw invalid(path, `it is compressed with ${name}: decompress it, or compress it with gzip`);
  if (begins(...Buffer.from('PAR1')))
    throw invalid(path, 'it is a Parquet file: give it a name that ends in .parquet');
  // A byte order mark, or JSON's first character and a zero.
  if (begins(0xff, 0xfe) || (start[0] !== 0 && start[1] === 0)) return { text: 'utf-16le', gzip: false };
  if (begins(0xfe, 0xff) || (start[0] === 0 && start[1] !== 0)) return { text: 'utf-16be', gzip: false };
  return { text: 'utf-8', gzip: false };
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(8, 1);
    const { bytesRead } = await file.read(buffer, 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Which files may an experiment name as its questions? A person who may start a workflow can name any path of the worker's host.
 * Where COLLOQUY_DATA names folders, only files below them are read; links are followed before they are compared. Without it, a worker
 * reads what its user may read, and errors quote nothing of a file that has no rows.
 *
 * @param path that a config names, absolute
 * @throws InvalidTaskFile
 */
export async function requireDataFolder(path: string): Promise<void> {
  const folders = process.env['COLLOQUY_DATA']?.split(delimiter).filter((folder) => folder !== '') ?? [];
  if (folders.length === 0) return;
  const file = await linkFree(path);
  for (const folder of folders) if (isBelow(await linkFree(folder), file)) return;
  const message = `this worker reads the files of tasks only below ${folders.join(', ')} (its COLLOQUY_DATA)`;
  throw new InvalidTaskFile(path, [{ line: 0, message }]);
}

async function linkFree(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function isBelow(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
