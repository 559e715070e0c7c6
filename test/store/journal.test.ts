import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Damage } from '../../src/store/files/documents.ts';
import { type Journal, openJournal } from '../../src/store/files/journal.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
/** Values are read from the file, so a journal stays open as long as its test. */
const opened: Journal[] = [];
afterEach(() => opened.splice(0).forEach((journal) => journal.close()));
let count = 0;
const fresh = () => join(folder, `${count++}`, 'shard-000.journal.jsonl');
const intact = () => expect.unreachable('no damage was expected');

async function written(entries: readonly (readonly [string, unknown])[]): Promise<string> {
  const path = fresh();
  const journal = await openJournal(path, intact);
  for (const [key, value] of entries) journal.append(key, value);
  journal.close();
  return path;
}
async function reopened(
  path: string,
): Promise<{ entries: (key: string) => unknown; size: number; reported: Damage[] }> {
  const reported: Damage[] = [];
  const journal = await openJournal(path, (damage) => reported.push(damage));
  opened.push(journal);
  return { entries: (key) => journal.get(key), size: journal.size, reported };
}

describe('a journal', () => {
  it('has what was appended, at once and after it is opened again', async () => {
    const path = fresh();
    const journal = await openJournal(path, intact);
    expect(journal.get('a')).toBeUndefined();
    journal.append('a', { text: 'line\nend', tokens: 3 });
    expect(journal.get('a')).toEqual({ text: 'line\nend', tokens: 3 });
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{8} \["a",\{.*\}\]\n$/);
    journal.close();
    const { entries, size } = await reopened(path);
    expect(entries('a')).toEqual({ text: 'line\nend', tokens: 3 });
    expect(size).toBe(1);
  });

  it('keeps the last value of a key', async () => {
    const path = await written([
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ]);
    const { entries, size } = await reopened(path);
    expect([entries('a'), entries('b'), size]).toEqual([3, 2, 2]);
  });

  it('keeps any key and value that JSON can hold', async () => {
    const anyEntry = fc.tuple(fc.string({ unit: 'binary' }), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(fc.array(anyEntry, { maxLength: 30 }), async (entries) => {
        const { entries: get, reported } = await reopened(await written(entries));
        for (const [key, value] of new Map(entries))
          expect(get(key)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(reported).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });

  it('has written a value when `append` returns: a process that is killed then has lost nothing', async () => {
    const path = fresh();
    const journal = await openJournal(path, intact);
    for (let n = 0; n < 500; n++) {
      journal.append(`${n}`, n);
      expect(readFileSync(path, 'utf8').endsWith(` ["${n}",${n}]\n`)).toBe(true);
    }
    journal.close();
  });

  it('needs little time: 10,000 answers need less than a second of CPU time', async () => {
    const path = fresh();
    const journal = await openJournal(path, intact);
    const before = process.cpuUsage();
    for (let next = 0; next < 10_000; next++)
      journal.append(`train-${next}/1/1/generation`, { text: 'x'.repeat(60) });
    const { user, system } = process.cpuUsage(before);
    journal.close();
    expect((user + system) / 1e6).toBeLessThan(1);
  });
});

describe('a damaged journal', () => {
  it.each([2, 5, 12])(
    'leaves out a last line that lacks %i bytes, reports it, and continues after it',
    async (cut) => {
      const path = await written([
        ['a', 1],
        ['b', 2],
      ]);
      truncateSync(path, readFileSync(path).length - cut);
      const reported: Damage[] = [];
      const journal = await openJournal(path, (damage) => reported.push(damage));
      expect([journal.get('a'), journal.get('b'), journal.size]).toEqual([1, undefined, 1]);
      expect(reported).toEqual([{ path, problem: 'a damaged line is left out, to be made again' }]);
      journal.append('b', 3);
      journal.append('c', 4);
      journal.close();
      const { entries } = await reopened(path);
      expect(['a', 'b', 'c'].map(entries)).toEqual([1, 3, 4]);
    },
  );

  it('that lacks only its last line end has lost nothing', async () => {
    const path = await written([['a', 1]]);
    truncateSync(path, readFileSync(path).length - 1);
    const journal = await openJournal(path, intact);
    journal.append('b', 2);
    journal.close();
    const { entries, reported } = await reopened(path);
    expect([entries('a'), entries('b'), reported]).toEqual([1, 2, []]);
  });

  it('never gives a value that was not appended, for a flipped bit in any byte', async () => {
    const entries = [
      ['a', { n: 1 }],
      ['b', { n: 22 }],
      ['c', 'three'],
    ] as const;
    const original = readFileSync(await written(entries));
    const path = fresh();
    mkdirSync(dirname(path));
    for (let at = 0; at < original.length; at++) {
      const bytes = Buffer.from(original);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at);
      writeFileSync(path, bytes);
      const { entries: get, size, reported } = await reopened(path);
      expect(size).toBeGreaterThanOrEqual(1);
      expect(reported.length === 1 || at === original.length - 1).toBe(true);
      for (const [key, value] of entries) expect([value, undefined]).toContainEqual(get(key));
    }
  });

  it('counts the lines that it leaves out, and keeps the rest', async () => {
    const path = await written([['a', 1]]);
    appendFileSync(path, 'garbage\n\n00000000 ["x",1]\n\u0000\u0000\u0000');
    const { entries, size, reported } = await reopened(path);
    expect([entries('a'), size]).toEqual([1, 1]);
    expect(reported).toEqual([{ path, problem: '3 damaged lines are left out, to be made again' }]);
  });

  it('is not changed, so that a person can look at it', async () => {
    const path = await written([['a', 1]]);
    appendFileSync(path, 'garbage');
    const before = readFileSync(path);
    await reopened(path);
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}.damaged-1`)).toBe(false);
  });
});
