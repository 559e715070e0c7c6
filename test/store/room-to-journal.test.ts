import { describe, expect, it } from 'vitest';
import { DiskFull } from '../../src/store/errors.ts';
import { appendNoting, type Journal, requireRoom } from '../../src/store/files/journal.ts';

/** A journal on a disk that the others are on too. */
function journalOn(disk: { full: boolean }): Journal & { readonly keys: string[] } {
  const keys: string[] = [];
  return {
    keys,
    get: () => undefined,
    append: (key) => {
      if (disk.full) throw new DiskFull('a journal', new Error('ENOSPC'));
      keys.push(key);
    },
    get size() {
      return keys.length;
    },
    close: () => undefined,
  };
}

describe('room to journal', () => {
  it('is not looked for as long as the disk takes what it is given', () => {
    const journal = journalOn({ full: false });
    appendNoting(journal, 'an answer', 1);
    requireRoom(journal);
    expect(journal.keys).toEqual(['an answer']);
  });

  it('is required of every journal once one was refused a line, until there is room again', () => {
    const disk = { full: true };
    const [first, second] = [journalOn(disk), journalOn(disk)];
    expect(() => appendNoting(first, 'an answer', 1)).toThrow(DiskFull);
    expect(() => requireRoom(second)).toThrow(DiskFull);
    disk.full = false;
    requireRoom(second);
    requireRoom(second);
    expect(second.keys).toHaveLength(1);
    appendNoting(first, 'an answer', 1);
    expect(first.keys).toEqual(['an answer']);
  });
});
