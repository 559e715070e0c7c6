import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ArtifactDamaged, ArtifactMissing } from '../../src/store/errors.ts';
import { readPage, writeRows } from '../../src/store/files/rows.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { placeAt } from '../support/places.ts';

const rowSchema = z.object({ n: z.number(), text: z.string() });
const table = Array.from({ length: 70 }, (_, n) => ({ n, text: `Größe \u2028 ${'数'.repeat(n % 7)}` }));
const fresh = () => join(temporaryFolder(), 'questions.jsonl');
const page = (path: string, number: number) => readPage(placeAt(path), rowSchema, number, 32);

describe('a page of rows', () => {
  it('has its rows; the last page has the rest, and there are none beyond the end', async () => {
    const path = fresh();
    await writeRows(placeAt(path), table);
    expect(await Promise.all([0, 1, 2, 3].map((each) => page(path, each)))).toEqual([
      table.slice(0, 32),
      table.slice(32, 64),
      table.slice(64),
      [],
    ]);
    expect(await readPage(placeAt(path), rowSchema, 0, 100)).toEqual(table);
  });

  it('has the new rows when the table was written again', async () => {
    const path = fresh();
    await writeRows(placeAt(path), table);
    await page(path, 1);
    await writeRows(placeAt(path), table.toReversed());
    expect(await page(path, 1)).toEqual(table.toReversed().slice(32, 64));
  });

  it('is damaged when a byte of it is, also after another page was read; what is whole can still be read', async () => {
    const path = fresh();
    await writeRows(placeAt(path), table);
    await page(path, 0);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
    writeFileSync(path, bytes);
    expect(await page(path, 0)).toEqual(table.slice(0, 32));
    await expect(page(path, 2)).rejects.toThrow(ArtifactDamaged);
    // Now the whole table was compared with its seal, so its damage is known.
    await expect(page(path, 0)).rejects.toThrow(ArtifactDamaged);
    await writeRows(placeAt(path), table);
    expect(await page(path, 2)).toEqual(table.slice(64));
  });

  it('is missing when the table or its seal is', async () => {
    const path = fresh();
    await expect(page(path, 0)).rejects.toThrow(ArtifactMissing);
    await writeRows(placeAt(path), table);
    rmSync(`${path}.ref.json`);
    await expect(page(path, 0)).rejects.toThrow(ArtifactMissing);
    await writeRows(placeAt(path), table);
    await page(path, 0);
    rmSync(path);
    await expect(page(path, 1)).rejects.toThrow(ArtifactMissing);
  });
});
