import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ArtifactDamaged, ArtifactMissing } from '../../src/store/errors.ts';
import { findRows, linesOf, readPage, readRows, streamRows, writeRows } from '../../src/store/files/rows.ts';
import type { Damage } from '../../src/store/files/documents.ts';
import { sealOf } from '../../src/store/files/sealed.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { placeAt } from '../support/places.ts';

const folder = temporaryFolder();
const rowSchema = z.strictObject({ id: z.string(), votes: z.int() });
const table = [
  { id: 'train-00000', votes: 3 },
  { id: 'ünïcode\n', votes: 0 },
];
let count = 0;
/** A new path in a folder that does not exist yet. */
const fresh = () => join(folder, `${count++}`, 'debates', 'shard-000.jsonl');

const streamed = (path: string) => all(streamRows(placeAt(path), rowSchema));

async function all<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const gathered: Row[] = [];
  for await (const row of rows) gathered.push(row);
  return gathered;
}

describe('rows in the store', () => {
  it('are read as they were written, whole and one after another', async () => {
    const path = fresh();
    const ref = await writeRows(placeAt(path), table);
    expect(ref).toEqual({
      uri: 'shard-000.jsonl',
      sha256: sealOf(readFileSync(path)).sha256,
      bytes: readFileSync(path).length,
      rows: 2,
    });
    expect(await findRows(placeAt(path))).toEqual(ref);
    expect(await readRows(placeAt(path), rowSchema)).toEqual(table);
    expect(await streamed(path)).toEqual(table);
  });

  it('are read as they were written, for any rows', async () => {
    const path = fresh();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ text: fc.string({ unit: 'binary' }) })), async (rows) => {
        const ref = await writeRows(placeAt(path), rows);
        expect(ref.rows).toBe(rows.length);
        const textSchema = z.object({ text: z.string() });
        const plain = JSON.parse(JSON.stringify(rows)) as unknown;
        expect(await readRows(placeAt(path), textSchema)).toEqual(plain);
        expect(await all(streamRows(placeAt(path), textSchema))).toEqual(plain);
      }),
      { numRuns: 10 },
    );
  });

  it('may be none', async () => {
    const path = fresh();
    expect(await writeRows(placeAt(path), [])).toMatchObject({ bytes: 0, rows: 0 });
    expect(await readRows(placeAt(path), rowSchema)).toEqual([]);
    expect(await streamed(path)).toEqual([]);
  });

  it('are the same bytes for the same rows, and replace what was there', async () => {
    const path = fresh();
    const first = await writeRows(placeAt(path), table);
    expect((await writeRows(placeAt(path), [...table, ...table])).rows).toBe(4);
    expect(await writeRows(placeAt(path), table)).toEqual(first);
    expect(readdirSync(join(path, '..'))).toEqual(['shard-000.jsonl', 'shard-000.jsonl.ref.json']);
  });

  it('may be many and come one at a time', async () => {
    const many = function* () {
      for (let votes = 0; votes < 50_000; votes++) yield { id: 'x'.repeat(50), votes };
    };
    const path = fresh();
    expect((await writeRows(placeAt(path), many())).rows).toBe(50_000);
    const votes = (await streamed(path)).map((row) => row.votes);
    expect(votes).toEqual(Array.from({ length: 50_000 }, (_, index) => index));
  });

  it('are not found when they are missing or have no seal', async () => {
    const path = fresh();
    expect(await findRows(placeAt(path))).toBeNull();
    await expect(readRows(placeAt(path), rowSchema)).rejects.toThrow(ArtifactMissing);
    await writeRows(placeAt(path), table);
    rmSync(`${path}.ref.json`);
    expect(await findRows(placeAt(path))).toBeNull();
    await expect(readRows(placeAt(path), rowSchema)).rejects.toThrow(ArtifactMissing);
    await expect(streamed(path)).rejects.toThrow(ArtifactMissing);
  });

  it('leave the old rows when the new rows cannot be made', async () => {
    const path = fresh();
    const ref = await writeRows(placeAt(path), table);
    const failing = function* () {
      yield { id: 'a', votes: 1 };
      throw new Error('no more rows');
    };
    await expect(writeRows(placeAt(path), failing())).rejects.toThrow('no more rows');
    expect(await findRows(placeAt(path))).toEqual(ref);
    expect(readdirSync(join(path, '..'))).toHaveLength(2);
  });

  it('that another version wrote are refused, and the error has the row', async () => {
    const path = fresh();
    await writeRows(placeAt(path), [...table, { id: 'x' }]);
    await expect(streamed(path)).rejects.toThrow(/row 3: votes/);
    await expect(readRows(placeAt(path), rowSchema)).rejects.toThrow(/row 3: votes/);
  });
});

describe('damaged rows', () => {
  type Wound = (path: string) => void;
  const flip =
    (position: number): Wound =>
    (path) => {
      const bytes = readFileSync(path);
      bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
      writeFileSync(path, bytes);
    };
  const wounds: [string, Wound][] = [
    ['a flipped bit at the start', flip(0)],
    ['a flipped bit in a number, still JSON', flip(30)],
    ['a lost last byte', (path) => truncateSync(path, readFileSync(path).length - 1)],
    ['a lost tail', (path) => truncateSync(path, 10)],
    ['no bytes left', (path) => truncateSync(path, 0)],
    ['a row too many', (path) => writeFileSync(path, '{"id":"x","votes":1}\n', { flag: 'a' })],
    ['zeros', (path) => writeFileSync(path, new Uint8Array(readFileSync(path).length))],
    ['no file', (path) => rmSync(path)],
    ['a flipped bit in the seal', (path) => flip(12)(`${path}.ref.json`)],
    ['a truncated seal', (path) => truncateSync(`${path}.ref.json`, 20)],
    ['an empty seal', (path) => truncateSync(`${path}.ref.json`, 0)],
  ];

  it.each(wounds)('(%s) are set aside and reported, and can be made again', async (_, wound) => {
    const path = fresh();
    const ref = await writeRows(placeAt(path), table);
    for (const number of [1, 2]) {
      wound(path);
      const reported: Damage[] = [];
      const hadFile = existsSync(path);
      expect(await findRows(placeAt(path), (damage) => reported.push(damage))).toBeNull();
      expect(reported).toMatchObject([
        { path, problem: expect.stringMatching(/^damaged \(expected .*, found .*\).*; to be made again$/) },
      ]);
      expect(existsSync(path)).toBe(false);
      expect(existsSync(`${path}.damaged-${number}`)).toBe(hadFile);
      expect(await findRows(placeAt(path), () => expect.unreachable('reported twice'))).toBeNull();
      expect(await writeRows(placeAt(path), table)).toEqual(ref);
      expect(await findRows(placeAt(path))).toEqual(ref);
    }
  });

  it.each(wounds.slice(0, 7))('(%s) are never read', async (_, wound) => {
    const path = fresh();
    const ref = await writeRows(placeAt(path), table);
    wound(path);
    await expect(streamed(path)).rejects.toThrow(ArtifactDamaged);
    await expect(readRows(placeAt(path), rowSchema)).rejects.toThrow(
      `${path} is damaged: expected ${ref.bytes} bytes`,
    );
  });

  it('of another version stay where they are, while a row that was damaged is damage', async () => {
    const path = fresh();
    const newer = rowSchema.extend({ new: z.string() });
    await writeRows(placeAt(path), table);
    for (const read of [
      () => readRows(placeAt(path), newer),
      () => readPage(placeAt(path), newer, 0, 2),
      () => all(streamRows(placeAt(path), newer)),
    ])
      await expect(read()).rejects.toMatchObject({ name: 'OtherVersion', workerLacksIt: true });
    expect(existsSync(path)).toBe(true);
    flip(1)(path);
    await expect(all(streamRows(placeAt(path), newer))).rejects.toThrow(ArtifactDamaged);
  });

  it('are reported as a warning of the process by default', async () => {
    const path = fresh();
    await writeRows(placeAt(path), table);
    flip(3)(path);
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await findRows(placeAt(path));
    expect(await warned).toMatchObject({ name: 'ArtifactDamage', message: expect.stringContaining(path) });
  });
});

it('a row is one line for every reader: characters that some take for the end of a line are escaped', async () => {
  const row = { text: 'a\u2028b\u2029c\u0085d\ne' };
  const chunks: string[] = [];
  for await (const { bytes } of linesOf([row])) chunks.push(Buffer.from(bytes).toString());
  expect(chunks.join('')).toBe('{"text":"a\\u2028b\\u2029c\\u0085d\\ne"}\n');
  expect(JSON.parse(chunks.join(''))).toEqual(row);
});
