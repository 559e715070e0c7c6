import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ArtifactDamaged, StoreNotWritable } from '../../src/store/errors.ts';
import { readDocument, writeDocument } from '../../src/store/files/documents.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const schema = z.strictObject({ name: z.string(), seed: z.int() });
const value = { name: 'quickstart', seed: 1001 };
let count = 0;
const fresh = () => join(folder, `${count++}`, 'config.json');

describe('a document in the store', () => {
  it('is read as it was written, and can be read by people', async () => {
    const path = fresh();
    expect(await readDocument(path, schema)).toBeNull();
    expect(await writeDocument(path, value)).toMatchObject({ uri: `file://${path}`, rows: 1 });
    expect(await readDocument(path, schema)).toEqual(value);
    expect(readFileSync(path, 'utf8')).toBe('{\n  "name": "quickstart",\n  "seed": 1001\n}\n');
    expect(readdirSync(join(path, '..'))).toEqual(['config.json', 'config.json.ref.json']);
  });

  it('is not there below a file, and cannot be written there', async () => {
    const file = fresh();
    await writeDocument(file, value);
    const below = join(file, 'config.json');
    expect(await readDocument(below, schema)).toBeNull();
    await expect(writeDocument(below, value)).rejects.toThrow(StoreNotWritable);
  });

  it('is replaced whole', async () => {
    const path = fresh();
    await writeDocument(path, value);
    await writeDocument(path, { ...value, seed: 2 });
    expect(await readDocument(path, schema)).toEqual({ ...value, seed: 2 });
  });

  it('counts without its seal: the writer was killed between the two', async () => {
    const path = fresh();
    await writeDocument(path, value);
    rmSync(`${path}.ref.json`);
    expect(await readDocument(path, schema)).toEqual(value);
  });

  it('is always whole for those who read it while others replace it', async () => {
    const path = fresh();
    await writeDocument(path, value);
    const writing = new AbortController();
    const writer = (async () => {
      for (let seed = 0; seed < 20; seed++) await writeDocument(path, { ...value, seed });
      writing.abort();
    })();
    while (!writing.signal.aborted) {
      expect(await readDocument(path, schema)).toMatchObject({ name: 'quickstart' });
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
  ])('with %s is refused, with what to do', async (_, wound) => {
    const path = fresh();
    await writeDocument(path, value);
    wound(path);
    await expect(readDocument(path, schema)).rejects.toThrow(ArtifactDamaged);
    await expect(readDocument(path, schema)).rejects.toThrow('Delete it and start the experiment again');
  });

  it('of another version is refused with the place', async () => {
    const path = fresh();
    await writeDocument(path, { name: 'x', seed: 'one' });
    await expect(readDocument(path, schema)).rejects.toThrow(/found seed: /);
  });
});
