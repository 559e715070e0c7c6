/** What a folder on NFS does that a local disk never does, played here; the real one is in nfs.test.ts. */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { errorCode, writeError } from '../../src/store/files/atomic.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** The system's error as Node reports it where it has no name for the number. */
function unnamed(errno: number, syscall: string): Error {
  const code = `Unknown system error ${errno}`;
  return Object.assign(new Error(`${code}: ${code}, ${syscall}`), { errno, code, syscall });
}

const real = { ...fs };
/** Has each of these functions fail so often before it works. */
function failing(times: number, error: () => Error, names: readonly (keyof typeof fs)[]): void {
  let left = times;
  const once =
    (work: (...args: never[]) => unknown) =>
    async (...args: never[]) => {
      left -= 1;
      if (left >= 0) throw error();
      return work(...args);
    };
  for (const name of names) Object.assign(fs, { [name]: once(real[name] as never) });
  syncBuiltinESMExports();
}
afterEach(() => {
  Object.assign(fs, real);
  syncBuiltinESMExports();
});

describe('a shared folder', () => {
  const stale = () => unnamed(-116, 'fstat');
  const opened = () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a'), '0123');
    return { folder, blobs: fileBlobs(folder) };
  };

  it.each(['get', 'range', 'size', 'list'] as const)(
    'in which another host replaces a file at that moment is read again: %s',
    async (what) => {
      const { blobs } = opened();
      failing(2, stale, ['readFile', 'open', 'stat', 'readdir']);
      const read = {
        get: async () => String(await blobs.get('a')),
        range: async () => String(await blobs.get('a', { start: 1, bytes: 2 })),
        size: () => blobs.size('a'),
        list: () => blobs.list(''),
      }[what];
      expect(await read()).toEqual({ get: '0123', range: '12', size: 4, list: ['a'] }[what]);
    },
  );

  it('of which a file stays out of reach gives the cause its name, and moves nothing', async () => {
    const { blobs } = opened();
    failing(100, stale, ['readFile']);
    await expect(blobs.get('a')).rejects.toMatchObject({
      name: 'FileRefused',
      code: 'ESTALE',
      retryable: true,
      message: expect.stringContaining('(ESTALE: ESTALE, fstat). Another host has replaced or removed it'),
    });
  });

  it('shows no file that was removed while a program has it open', async () => {
    const { folder, blobs } = opened();
    mkdirSync(join(folder, 'b'));
    for (const name of ['.nfs000000000000000700000001', 'b/.nfs0000000000c2a3f100000002', 'b/.nfsx'])
      writeFileSync(join(folder, name), '');
    expect(await blobs.list('')).toEqual(['a', 'b/.nfsx']);
    await blobs.tidy('b');
  });
});

it('a quota that is used up is a full disk, though Node has no name for it', () => {
  const error = unnamed(-122, 'write');
  expect(errorCode(error)).toBe('EDQUOT');
  expect(writeError('/runs/a', error)).toMatchObject({
    name: 'DiskFull',
    message: expect.stringContaining('(EDQUOT: EDQUOT, write)'),
  });
});
