/** Where do rows wait until all rows of their table are there? In a file, so that memory does not grow with the table. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, temporaryPath, writeError } from './atomic.ts';
import { lineOf } from './rows.ts';
import type { SealedChunk } from './sealed.ts';

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
