/**
 * A journal: values under keys, each safe in the file before the next step needs it. A line is
 * `<crc32 in hex> ["key",value]`; the last line of a key counts.
 *
 * A line is written at once and by the thread that has the value, one write with O_APPEND, which the system never mixes with another
 * writer's. So there is no moment at which a value is known and not in the file; and a write into the system's cache costs a
 * microsecond, where one through Node's thread pool costs forty. No fsync: the lines outlive the process, which is the usual
 * death; a power cut may take the newest, and then those answers are asked for again.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { makeFolder, writeError } from './atomic.ts';
import { type OnDamage, warnOfDamage } from './sealed.ts';

export interface Journal {
  /** The value under the key, of those that were there on opening and those appended here since; else undefined. */
  get(key: string): unknown;
  /**
   * The line is written when this returns.
   *
   * @throws DiskFull, StoreNotWritable; the value is then not in the journal
   */
  append(key: string, value: unknown): void;
  /** Keys. */
  readonly size: number;
  close(): void;
}

/**
 * Opens a journal, making it when it is not there. Half a last line and damaged lines are left out, and told. Several
 * processes may append at once.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function openJournal(path: string, onDamage: OnDamage = warnOfDamage): Promise<Journal> {
  let file: number;
  try {
    await makeFolder(dirname(path));
    file = openSync(path, 'a');
  } catch (error) {
    throw writeError(path, error);
  }
  try {
    const bytes = await readFile(path);
    const { entries, damaged } = parseLines(bytes);
    if (damaged > 0) {
      const lines = damaged === 1 ? 'a damaged line is' : `${damaged} damaged lines are`;
      onDamage({ path, problem: `${lines} left out, to be made again` });
    }
    return new FileJournal(path, file, entries, bytes.length > 0 && bytes.at(-1) !== newline);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

class FileJournal implements Journal {
  readonly #path: string;
  readonly #file: number;
  readonly #entries: Map<string, unknown>;
  /** The file ends within a line, which the next write has to end first. */
  #torn: boolean;

  constructor(path: string, file: number, entries: Map<string, unknown>, torn: boolean) {
    this.#path = path;
    this.#file = file;
    this.#entries = entries;
    this.#torn = torn;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): unknown {
    return this.#entries.get(key);
  }

  append(key: string, value: unknown): void {
    const line = lineOf(key, value);
    // Cut short (a full disk): the line once more after a line's end. The half one fails its checksum.
    do this.#write(line);
    while (this.#torn);
    this.#entries.set(key, value);
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(line: string): void {
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    try {
      this.#torn = writeSync(this.#file, bytes) < bytes.length;
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }
}

const newline = 10;
const entrySchema = z.tuple([z.string(), z.unknown()]);

function lineOf(key: string, value: unknown): string {
  const entry = JSON.stringify([key, value]);
  return `${checksum(entry)} ${entry}\n`;
}

function parseLines(bytes: Buffer): { entries: Map<string, unknown>; damaged: number } {
  const entries = new Map<string, unknown>();
  let damaged = 0;
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(newline, start);
    if (end === -1) end = bytes.length;
    if (end === start) continue;
    const entry = parseLine(bytes.toString('utf8', start, end));
    if (entry === null) damaged++;
    else entries.set(...entry);
  }
  return { entries, damaged };
}

function parseLine(line: string): [string, unknown] | null {
  const entry = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(entry)} `) return null;
  return entrySchema.parse(JSON.parse(entry));
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** Whether the disk refused the last line that this process gave to any journal. */
let refused = false;

/** About as long as an answer. */
const filler = '.'.repeat(1_000);

/**
 * Makes sure, after the disk has refused a line, that it takes one before something is asked for that could only be lost. One full disk
 * stops all shards, but each of them learns of it by itself; so no more is lost than was in flight.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function requireRoom(journal: Journal): void {
  // Nobody looks for this key.
  if (refused) appendNoting(journal, 'room', filler);
}

/**
 * As `journal.append`, and remembers whether it could be done.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function appendNoting(journal: Journal, key: string, value: unknown): void {
  refused = true;
  journal.append(key, value);
  refused = false;
}
