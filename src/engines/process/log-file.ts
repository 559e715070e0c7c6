/** The log files of supervised programs: what they write, in files of a bounded size. */
import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { z } from 'zod';
import { makeFolder } from '../../store/files/atomic.ts';

/** Path of the log of `program` for `model` in `folder`, which is made. */
export async function logFileFor(folder: string, program: string, model?: string): Promise<string> {
  await makeFolder(folder);
  const suffix = model === undefined ? '' : `-${basename(model).replace(/[^\w.-]+/g, '_')}`;
  return join(folder, `${program}${suffix}.log`);
}

/** The log of one run of a program. */
export interface ProgramLog {
  readonly file: string;
  /** Appends a line, or the first 2,000 characters of a longer one. */
  readonly add: (line: string) => void;
  /** The newest 400 lines of this run, as they are in the file. */
  lines(): readonly string[];
  /** How it ends: at most 15 lines and 4,000 characters. */
  ending(): string;
  close(): void;
}

const longestLine = 2_000;
const largestLog = 10_000_000;
const linesInMemory = 400;

/** Opens a log to append to. When it grows above 10 MB, it is moved aside (`FILE.old`, one of them) for a new one. */
export function openProgramLog(file: string): ProgramLog {
  let descriptor = openSync(file, 'a');
  let size = fstatSync(descriptor).size;
  const newest: string[] = [];

  function beginAgain(): void {
    closeSync(descriptor);
    renameSync(file, `${file}.old`);
    descriptor = openSync(file, 'a');
    size = fstatSync(descriptor).size;
  }

  return {
    file,
    add(line) {
      const kept =
        line.length > longestLine
          ? `${line.slice(0, longestLine)} … (${line.length - longestLine} more characters)`
          : line;
      newest.push(kept);
      if (newest.length > linesInMemory) newest.shift();
      try {
        if (size > largestLog) beginAgain();
        size += writeSync(descriptor, `${kept}\n`);
      } catch {
        // A full disk must not end the worker; the newest lines are in memory.
      }
    },
    lines: () => newest,
    ending: () => newest.join('\n').slice(-4_000).trim().split('\n').slice(-15).join('\n') || '(nothing)',
    close: () => closeSync(descriptor),
  };
}

/** The last 15 lines of a file, at most 4,000 characters. */
export function lastLogLines(file: string): string {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { size } = fstatSync(descriptor);
      const start = Math.max(0, size - 4_000);
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
