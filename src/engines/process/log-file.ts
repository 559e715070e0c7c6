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
    ending: () => endingOf(newest.join('\n')),
    close: () => closeSync(descriptor),
  };
}

const longestEnding = 4_000;

function endingOf(text: string): string {
  return text.slice(-longestEnding).trim().split('\n').slice(-15).join('\n') || '(nothing)';
}

/** The last 15 lines of a file, at most 4,000 characters. */
export function lastLogLines(file: string): string {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { size } = fstatSync(descriptor);
      const start = Math.max(0, size - longestEnding);
      const bytes = Buffer.alloc(Math.max(0, size - start));
      readSync(descriptor, bytes, 0, bytes.length, start);
      return endingOf(bytes.toString('utf8'));
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

/** vLLM writes its process, level, time and place before each line: `(EngineCore pid=7) ERROR 11-28 17:00:00 [core.py:1] …`. */
const linePrefix =
  /^(?:\([\w :=.-]+\)\s)?(?:(?:ERROR|WARNING|INFO|CRITICAL)\s\d\d-\d\d\s[\d:.]+\s(?:\[[^\]]*\]\s)?)?/;

/** The last line of a traceback: the error's class, with its modules, and its words. */
const raised = /^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Timeout)(?::\s.*)?$/;

/** argparse's last line. */
const wrongArguments = /^.*: error: (.+)$/;

/** Errors that only say that another process has failed. */
const echo = /EngineDeadError|Engine core initialization failed|EngineCore encountered an issue|root cause/;

/** Of a Python program that was asked to end. */
const asked = /^(?:KeyboardInterrupt|SystemExit|(?:asyncio\.)?(?:exceptions\.)?CancelledError)\b/;

/**
 * The error that a program named last before it ended, in one line of at most 500 characters; undefined when its log names none. Where
 * several processes wrote tracebacks, it is not an error that only reports the failure of another process.
 *
 * @param lines the newest lines of the log, the oldest first
 */
export function lastCause(lines: readonly string[]): string | undefined {
  const plain = lines.map((line) => line.replace(linePrefix, '').trimEnd());
  let cause: string | undefined;
  let reported: string | undefined;
  for (const [place, line] of plain.entries()) {
    const argument = wrongArguments.exec(line)?.[1];
    if (argument !== undefined && plain.some((other) => other.startsWith('usage:'))) cause = argument;
    else if (raised.test(line) && !asked.test(line)) {
      const words = withFollowing(line, plain.slice(place + 1));
      if (echo.test(words)) reported = words;
      else cause = words;
    }
  }
  return (cause ?? reported)?.slice(0, 500);
}

/** pydantic and torch write the words that matter in the lines below the error's name. */
function withFollowing(line: string, following: readonly string[]): string {
  const end = following.findIndex((next) => !/^\s+\S/.test(next));
  const indented = following.slice(0, end < 0 ? following.length : end).slice(0, 4);
  return [line, ...indented.map((next) => next.trim())].join(' ');
}
