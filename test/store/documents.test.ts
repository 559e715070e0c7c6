import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ArtifactDamaged, StoreNotWritable } from '../../src/store/errors.ts';
import { findDocument, readDocument, writeDocument } from '../../src/store/files/documents.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { placeAt } from '../support/places.ts';

const folder = temporaryFolder();
const schema = z.strictObject({ name: z.string(), seed: z.int() });
const value = { name: 'quickstart', seed: 1001 };
let count = 0;
const fresh = () => join(folder, `${count++}`, 'config.json');

describe('a document in the store', () => {
  it('is read as it was written, and can be read by people', async () => {
    const path = fresh();
    expect(await readDocument(placeAt(path), schema)).toBeNull();
    expect(await writeDocument(placeAt(path), value)).toMatchObject({ uri: 'config.json', rows: 1 });
    expect(await readDocument(placeAt(path), schema)).toEqual(value);
    expect(readFileSync(path, 'utf8')).toBe('{\n  "name": "quickstart",\n  "seed": 1001\n}\n');
    expect(readdirSync(join(path, '..'))).toEqual(['config.json', 'config.json.ref.json']);
  });

  it('does not exist below a file, and cannot be written there', async () => {
    const file = fresh();
    await writeDocument(placeAt(file), value);
    const below = join(file, 'config.json');
    expect(await readDocument(placeAt(below), schema)).toBeNull();
    await expect(writeDocument(placeAt(below), value)).rejects.toThrow(StoreNotWritable);
  });

  it('is replaced whole', async () => {
    const path = fresh();
    await writeDocument(placeAt(path), value);
    await writeDocument(placeAt(path), { ...value, seed: 2 });
    expect(await readDocument(placeAt(path), schema)).toEqual({ ...value, seed: 2 });
  });

  it('is accepted without its seal: the writer was killed between the two', async () => {
    const path = fresh();
    await writeDocument(placeAt(path), value);
    rmSync(`${path}.ref.json`);
    expect(await readDocument(placeAt(path), schema)).toEqual(value);
  });

  it('is always whole for readers while others replace it', async () => {
    const path = fresh();
    await writeDocument(placeAt(path), value);
    const writing = new AbortController();
    const writer = (async () => {
      for (let seed = 0; seed < 20; seed++) await writeDocument(placeAt(path), { ...value, seed });
      writing.abort();
    })();
    while (!writing.signal.aborted) {
      expect(await readDocument(placeAt(path), schema)).toMatchObject({ name: 'quickstart' });
    }
    await writer;
  });

  it.each<[string, (path: string) => void]>([
    [
      'a digit that became another',
      (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('1001', '1000')),
    ],
    ['a lost tail', (path) => truncateSync(path, 12)],
    ['no bytes left', (path) => truncateSync(path, 0)],
    ['a damaged seal', (path) => truncateSync(`${path}.ref.json`, 5)],
    [
      'a lost tail and no seal',
      (path) => {
        truncateSync(path, 12);
        rmSync(`${path}.ref.json`);
      },
    ],
  ])('with %s is refused, and the error explains what to do', async (_, wound) => {
    const path = fresh();
    await writeDocument(placeAt(path), value);
    wound(path);
    await expect(readDocument(placeAt(path), schema)).rejects.toThrow(ArtifactDamaged);
    await expect(readDocument(placeAt(path), schema)).rejects.toThrow(
      'Delete it and start the experiment again',
    );
  });

  it('of another version stays where it is: it is intact, and a worker of that version can read it', async () => {
    const path = fresh();
    await writeDocument(placeAt(path), { ...value, new: 'a field of the next version' });
    for (const read of [readDocument, findDocument])
      await expect(read(placeAt(path), schema)).rejects.toMatchObject({
        name: 'OtherVersion',
        retryable: true,
        workerLacksIt: true,
        message: expect.stringMatching(/intact.*Unrecognized key: "new"/),
      });
    const next = z.looseObject(schema.shape);
    expect(await findDocument(placeAt(path), next)).toMatchObject(value);
  });
});
