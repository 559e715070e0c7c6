/**
 * A journal: values under keys, each safe in the file before the next step needs it. A line is
 * `<crc32 in hex> ["key",value]`; the last line of a key counts.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type OnDamage, warnOfDamage } from './damage.ts';
import { makeFolder } from './make-folder.ts';
import { writeError } from './write-error.ts';

export interface Journal {
  /** The value under the key, of those that were there on opening and those appended here since; else undefined. */
  get(key: string): unknown;
  /**
   * Resolves when the line is written.
   *
   * @throws DiskFull, StoreNotWritable; the value is then not in the journal
   */
  append(key: string, value: unknown): Promise<void>;
  /** Keys. */
  readonly size: number;
  /** After what is still being appended. */
  close(): Promise<void>;
}

/**
 * Opens a journal, making it when it is not there. Half a last line and damaged lines are left out, and told. Several
 * processes may append at once.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function openJournal(path: string, onDamage: OnDamage = warnOfDamage): Promise<Journal> {
  let handle: FileHandle;
  try {
    await makeFolder(dirname(path));
    handle = await open(path, 'a+');
  } catch (error) {
    throw writeError(path, error);
  }
  try {
    const bytes = await handle.readFile();
    const { entries, damaged } = parseLines(bytes);
    if (damaged > 0) {
      const lines = damaged === 1 ? 'a damaged line is' : `${damaged} damaged lines are`;
      onDamage({ path, problem: `${lines} left out, to be made again` });
    }
    return new FileJournal(path, handle, entries, bytes.length > 0 && bytes.at(-1) !== newline);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class FileJournal implements Journal {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #entries: Map<string, unknown>;
  /** The file ends within a line, which the next write has to end first. */
  #torn: boolean;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;

  constructor(path: string, handle: FileHandle, entries: Map<string, unknown>, torn: boolean) {
    this.#path = path;
    this.#handle = handle;
    this.#entries = entries;
    this.#torn = torn;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): unknown {
    return this.#entries.get(key);
  }

  async append(key: string, value: unknown): Promise<void> {
    const line = lineOf(key, value);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#writeAll().finally(() => (this.#writing = null));
    });
    this.#entries.set(key, value);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
  }

  /** What gathers during one write goes into the next one, so that many appends cost few writes. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.map(({ line }) => line).join(''));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  /**
   * One write of whole lines with O_APPEND, which the system never mixes with another writer's. No fsync: the lines outlive
   * the process, which is the usual death, at once; a power cut may take the newest, and then those answers are asked for again.
   */
  async #write(lines: string): Promise<void> {
    for (;;) {
      const bytes = Buffer.from(this.#torn ? `\n${lines}` : lines);
      let written: number;
      try {
        ({ bytesWritten: written } = await this.#handle.write(bytes));
      } catch (error) {
        throw writeError(this.#path, error);
      }
      // Cut short (a full disk): all lines once more after a line's end. The half one fails its checksum, a double one does no harm.
      this.#torn = written < bytes.length;
      if (!this.#torn) return;
    }
  }
}

type Waiting = {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

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
