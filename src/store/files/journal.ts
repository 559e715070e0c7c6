/**
 * What does a worker keep in local files while work is under way? Answers in a journal, and the rows of a table in a spool.
 *
 * A journal has values under keys, and each value is in the file before the next step needs it. A line is `<crc32 in hex> ["key",value]`; the
 * last line of a key counts. A journal is a local file of the worker; take-over.ts brings it to other hosts where the store is no folder.
 *
 * The thread that has a value writes its line at once, in one write with O_APPEND, which the system never mixes with another writer’s (on NFS:
 * of the same host). So a value is never known without being in the file. A write into the system's cache takes a microsecond; one through
 * Node's thread pool takes forty. A value is read back from the file when it is asked for, so that memory does not grow with the answers.
 *
 * There is no fsync: the lines survive the end of the process, which is the usual failure. A power cut may lose the newest lines; those answers
 * are then requested again.
 */
import { closeSync, createReadStream, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { makeFolder, readError, temporaryPath, writeError } from './atomic.ts';
import { type OnDamage, warnOfDamage } from './documents.ts';
import { lineOf } from './rows.ts';
import type { SealedChunk } from './sealed.ts';

/** Values under keys. */
export interface Entries {
  /** The value under the key, if the file had it on opening or it was appended here; otherwise undefined. */
  get(key: string): unknown;
  /**
   * The line is written when this returns.
   *
   * @throws DiskFull, StoreNotWritable; the value is then not in the journal
   */
  append(key: string, value: unknown): void;
  keys(): Iterable<string>;
  /** The number of keys. */
  readonly size: number;
}

export interface Journal extends Entries {
  close(): void;
}

/**
 * Opens a journal, and makes it when it is missing. An unfinished last line and damaged lines are left out and reported. Several
 * processes may append at the same time.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function openJournal(path: string, onDamage: OnDamage = warnOfDamage): Promise<Journal> {
  let file: number;
  try {
    await makeFolder(dirname(path));
    file = openSync(path, 'a+');
  } catch (error) {
    throw writeError(path, error);
  }
  try {
    const { entries, damaged, end, torn } = await findLines(path);
    if (damaged > 0) {
      const lines = damaged === 1 ? 'a damaged line is' : `${damaged} damaged lines are`;
      onDamage({ path, problem: `${lines} left out, to be made again` });
    }
    return new FileJournal(path, file, entries, end, torn);
  } catch (error) {
    closeSync(file);
    throw readError(path, error);
  }
}

/** Where the line of a key is. The values stay in the file: those of many shards with long answers would not fit into memory. */
type Line = { readonly start: number; readonly bytes: number };
/** The value itself, where another writer's line came between, so that its place is not known. */
type Entry = Line | { readonly value: unknown };

class FileJournal implements Journal {
  readonly #path: string;
  readonly #file: number;
  readonly #entries: Map<string, Entry>;
  /** The size of the file, as far as this process knows. */
  #end: number;
  /** Whether the file ends within a line. The next write then has to end this line first. */
  #torn: boolean;

  constructor(path: string, file: number, entries: Map<string, Entry>, end: number, torn: boolean) {
    this.#path = path;
    this.#file = file;
    this.#entries = entries;
    this.#end = end;
    this.#torn = torn;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): unknown {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if ('value' in entry) return entry.value;
    return parseLine(this.#read(entry).toString('utf8'))?.[1];
  }

  append(key: string, value: unknown): void {
    const line = journalLine(key, value);
    // When a full disk cuts the line short, the whole line is written again on a new line. The cut line fails its checksum.
    do this.#write(line);
    while (this.#torn);
    const bytes = Buffer.byteLength(line);
    const end = fstatSync(this.#file).size;
    const alone = end === this.#end;
    this.#end = end;
    this.#entries.set(key, alone ? { start: end - bytes, bytes: bytes - 1 } : { value });
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(line: string): void {
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    try {
      const written = writeSync(this.#file, bytes);
      this.#end += written;
      this.#torn = written < bytes.length;
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  #read({ start, bytes }: Line): Buffer {
    try {
      return readBytes(this.#file, start, bytes);
    } catch (error) {
      throw readError(this.#path, error);
    }
  }
}

const newline = 10;
const entrySchema = z.tuple([z.string(), z.unknown()]);

export function journalLine(key: string, value: unknown): string {
  const entry = JSON.stringify([key, value]);
  return `${checksum(entry)} ${entry}\n`;
}

type Found = {
  readonly entries: Map<string, Entry>;
  readonly damaged: number;
  readonly end: number;
  /** Whether the last line has no end. */
  readonly torn: boolean;
};

/** Reads the file in pieces: a long journal is never in memory as a whole, and other work goes on meanwhile. */
async function findLines(path: string): Promise<Found> {
  const entries = new Map<string, Entry>();
  let damaged = 0;
  /** Bytes before the line that is being read, and the pieces of that line. */
  let start = 0;
  let begun: Buffer[] = [];
  const endLine = (last: Buffer): void => {
    const line = Buffer.concat([...begun, last]);
    begun = [];
    const entry = line.length === 0 ? undefined : parseLine(line.toString('utf8'));
    if (entry === null) damaged++;
    else if (entry !== undefined) entries.set(entry[0], { start, bytes: line.length });
    start += line.length + 1;
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      endLine(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
  }
  const torn = begun.length > 0;
  if (torn) endLine(Buffer.alloc(0));
  return { entries, damaged, end: torn ? start - 1 : start, torn };
}

/** The key and the value of a line; null when it is damaged. */
export function parseLine(line: string): [string, unknown] | null {
  const entry = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(entry)} `) return null;
  return entrySchema.parse(JSON.parse(entry));
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** Whether the disk refused the last line that this process appended to any journal. */
let lastAppendFailed = false;

/** A text about as long as an answer. */
const filler = '.'.repeat(1_000);

/**
 * Checks, after the disk has refused a line, that it accepts one again. To be called before a request whose answer would otherwise be lost.
 * A full disk stops all shards, but each shard finds out by itself; with this check only answers to requests in flight are lost.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function requireRoom(journal: Entries): void {
  // No reader uses this key.
  if (lastAppendFailed) appendAndRemember(journal, 'room', filler);
}

/**
 * Like `journal.append`, and remembers for `requireRoom` whether the disk accepted the line.
 *
 * @throws DiskFull, StoreNotWritable
 */
export function appendAndRemember(journal: Entries, key: string, value: unknown): void {
  lastAppendFailed = true;
  journal.append(key, value);
  lastAppendFailed = false;
}

/** Rows by their numbers in the table, in a local file that no other process sees and that is gone with this one. */
export type Spool = {
  /**
   * @param number 0 is the table's first row
   * @throws DiskFull, StoreNotWritable
   */
  readonly add: (number: number, row: object) => void;
  /** All rows in the order of their numbers, as the lines of a table. */
  readonly lines: () => Generator<SealedChunk>;
  readonly close: () => void;
};

/**
 * Opens a spool in the folder of `path`.
 *
 * @param path of a local file; the spool's name is made from it
 * @throws DiskFull, StoreNotWritable
 */
export async function openSpool(path: string): Promise<Spool> {
  const own = temporaryPath(path);
  let file: number;
  try {
    await makeFolder(dirname(own));
    file = openSync(own, 'wx+');
    // The open file stays. Without a name it leaves nothing behind, however the process ends.
    rmSync(own);
  } catch (error) {
    throw writeError(path, error);
  }
  const rows: { readonly number: number; readonly start: number; readonly bytes: number }[] = [];
  let end = 0;
  return {
    add(number, row) {
      const bytes = Buffer.from(lineOf(row));
      try {
        for (let written = 0; written < bytes.length;)
          written += writeSync(file, bytes, written, bytes.length - written, end + written);
      } catch (error) {
        throw writeError(path, error);
      }
      rows.push({ number, start: end, bytes: bytes.length });
      end += bytes.length;
    },
    *lines() {
      for (const { start, bytes } of rows.toSorted((a, b) => a.number - b.number)) {
        yield { bytes: readBytes(file, start, bytes), rows: 1 };
      }
    },
    close: () => closeSync(file),
  };
}

/** The bytes of an open file. @throws RangeError when the file ends before */
export function readBytes(file: number, start: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let filled = 0; filled < bytes;) {
    const count = readSync(file, buffer, filled, bytes - filled, start + filled);
    if (count === 0)
      throw new RangeError(`A file ended at byte ${start + filled}; ${bytes - filled} more were expected.`);
    filled += count;
  }
  return buffer;
}
