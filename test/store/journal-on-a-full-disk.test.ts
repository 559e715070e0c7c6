import { describe, expect, it } from 'vitest';
import { DiskFull } from '../../src/store/errors.ts';
import { appendAndRemember, type Entries, requireRoom } from '../../src/store/files/journal.ts';

/** A journal on the same disk as the others. */
function journalOn(disk: { full: boolean }): Entries & { readonly written: string[] } {
  const written: string[] = [];
  return {
    written,
    keys: () => written,
    get: () => undefined,
    append: (key) => {
      if (disk.full) throw new DiskFull('a journal', new Error('ENOSPC'));
      written.push(key);
    },
    get size() {
      return written.length;
    },
  };
}

describe('room to journal', () => {
  it('is not checked while the disk accepts lines', () => {
    const journal = journalOn({ full: false });
    appendAndRemember(journal, 'an answer', 1);
    requireRoom(journal);
    expect(journal.written).toEqual(['an answer']);
  });

  it('is checked for every journal after the disk refused a line of one, until there is room again', () => {
    const disk = { full: true };
    const [first, second] = [journalOn(disk), journalOn(disk)];
    expect(() => appendAndRemember(first, 'an answer', 1)).toThrow(DiskFull);
    expect(() => requireRoom(second)).toThrow(DiskFull);
    disk.full = false;
    requireRoom(second);
    requireRoom(second);
    expect(second.written).toHaveLength(1);
    appendAndRemember(first, 'an answer', 1);
    expect(first.written).toEqual(['an answer']);
  });
});
