/** The log files of supervised programs (their stderr). */
import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { z } from 'zod';
import { makeFolder } from '../../store/files/atomic.ts';

/** Path of the log of `program` for `model` in `folder`, which is made. A log above 10 MB is moved aside for a new one. */
export async function logFileFor(folder: string, program: string, model?: string): Promise<string> {
  await makeFolder(folder);
  const suffix = model === undefined ? '' : `-${basename(model).replace(/[^\w.-]+/g, '_')}`;
  const file = join(folder, `${program}${suffix}.log`);
  if (sizeOf(file) > 10_000_000) renameSync(file, `${file}.old`);
  return file;
}

/** Size of the file in bytes; 0 when there is none. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Empties the log when it is above 100 MB, though the program goes on with it: one that repeats a warning for ever would fill the disk. To be
 * called every second.
 */
export function boundLog(file: string): void {
  const bytes = sizeOf(file);
  if (bytes <= largestLog) return;
  const last = lastLogLines(file);
  truncateSync(file, 0);
  appendFileSync(file, `${last}\n(the ${bytes} bytes up to here were removed, all but these last lines)\n`);
}

const largestLog = 100_000_000;

/** The last 15 lines (at most 4,000 characters) that were written after the first `from` bytes. */
export function lastLogLines(file: string, from = 0): string {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { size } = fstatSync(descriptor);
      // A log that became too large begins again.
      const start = Math.max(from > size ? 0 : from, size - 4_000);
      const bytes = Buffer.alloc(Math.max(0, size - start));
      readSync(descriptor, bytes, 0, bytes.length, start);
      return bytes.toString('utf8').trim().split('\n').slice(-15).join('\n') || '(nothing)';
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '(it cannot be read)';
  }
}

/**
 * Calls `onLine` with each line of a program's output, without its newline. A line longer than `longest` characters comes
 * in pieces, so that a program that never ends its line cannot fill the memory.
 */
export function readLines(stream: Readable, onLine: (line: string) => void, longest = 2 ** 20): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > longest) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  // When a pipe breaks, the program behind it exits, and that is reported.
  stream.on('error', () => undefined);
}

/** What a line of a program's output holds as JSON; undefined where it is another line, such as a library's own. */
export function parsedLine<Value>(line: string, schema: z.ZodType<Value>): Value | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
