/** What every kind of store has to do. An implementation is one file in src/store, and a test file that calls this. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Blobs, below, placeIn, setAside } from '../../src/store/blobs.ts';
import { ArtifactMissing } from '../../src/store/errors.ts';
import { findDocument, writeDocument } from '../../src/store/files/documents.ts';
import { findRows, streamRows, writeRows } from '../../src/store/files/rows.ts';
import { findModel, modelOutput, sealModel, storeModel } from '../../src/store/models.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { writeModel } from '../export/exportable-experiment.ts';

/** @param open gives an empty store, as two hosts see it */
export function blobsContract(
  kind: string,
  open: () => { readonly hosts: readonly [Blobs, Blobs]; readonly scratch: string },
): void {
  const text = (bytes: Buffer | null) => bytes?.toString('utf8') ?? null;
  const streamed = async (blobs: Blobs, name: string) => {
    const pieces: Buffer[] = [];
    for await (const piece of blobs.stream(name)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const put = (blobs: Blobs, name: string, content: string) => blobs.putOnce(name, Buffer.from(content));

  describe(`bytes in ${kind}`, () => {
    it('are read as they were written, by every host, whole, in part and in pieces', async () => {
      const [a, b] = open().hosts;
      await a.replace('runs/one/config.json', Buffer.from('0123456789'));
      for (const blobs of [a, b]) {
        expect(await blobs.size('runs/one/config.json')).toBe(10);
        expect(text(await blobs.get('runs/one/config.json'))).toBe('0123456789');
        expect(text(await blobs.get('runs/one/config.json', { start: 3, bytes: 4 }))).toBe('3456');
        expect(text(await blobs.get('runs/one/config.json', { start: 8, bytes: 40 }))).toBe('89');
        expect(text(await streamed(blobs, 'runs/one/config.json'))).toBe('0123456789');
      }
    });

    it('are missing where nothing was written, also below a blob, and that is not an error', async () => {
      const [blobs] = open().hosts;
      await put(blobs, 'a', '1');
      for (const name of ['b', 'a/b', 'b/c/d']) {
        expect(await blobs.get(name)).toBeNull();
        expect(await blobs.get(name, { start: 0, bytes: 1 })).toBeNull();
        expect(await blobs.size(name)).toBeNull();
        await expect(streamed(blobs, name)).rejects.toThrow(ArtifactMissing);
        await expect(blobs.localCopy(name)).rejects.toThrow(ArtifactMissing);
      }
      await blobs.remove('b');
      expect(await blobs.list('b')).toEqual([]);
      expect(await blobs.move('b', 'c')).toBe(false);
    });

    it('may be many, and may come in pieces', async () => {
      const [a, b] = open().hosts;
      const pieces = function* () {
        for (let piece = 0; piece < 64; piece++) yield Buffer.alloc(100_000, piece);
      };
      const all = Buffer.concat([...pieces()]);
      expect(await a.putOnce('once', pieces())).toBe('made');
      expect(await b.putOnce('once', pieces())).toBe('same');
      await a.replace('replaced', pieces());
      for (const name of ['once', 'replaced']) expect((await streamed(b, name)).equals(all)).toBe(true);
    });

    it.each(['odd/#?%20&=+ name', 'ünïcode/数', 'a'.repeat(200), '.hidden', 'two..dots'])(
      'may be called %j',
      async (name) => {
        const [a, b] = open().hosts;
        expect(await put(a, name, 'x')).toBe('made');
        expect(text(await b.get(name))).toBe('x');
        expect(await b.list('')).toEqual([name]);
      },
    );

    it.each(['', '/etc', '..', 'a/../b', './a', 'a//b', 'a/', 'a\0b'])(
      'are never called %j',
      async (name) => {
        const [blobs] = open().hosts;
        await expect(async () => put(blobs, name, 'x')).rejects.toThrow('cannot be a name');
        await expect(async () => blobs.get(name)).rejects.toThrow('cannot be a name');
      },
    );
  });

  describe(`a name in ${kind} that is put once`, () => {
    it('goes to one of many writers, and the others change nothing', async () => {
      const { hosts } = open();
      for (let round = 0; round < 5; round++) {
        const contents = Array.from({ length: 16 }, (_, writer) => `writer ${writer} `.repeat(500));
        const outcomes = await Promise.all(
          contents.map((content, writer) => put(hosts[writer % 2]!, `race-${round}`, content)),
        );
        expect(outcomes.filter((outcome) => outcome === 'made')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'other')).toHaveLength(15);
        expect(text(await hosts[0].get(`race-${round}`))).toBe(contents[outcomes.indexOf('made')]);
      }
      expect(await hosts[0].list('')).toHaveLength(5);
    });

    it('counts as made for a writer that lost the first reply', async () => {
      const [a, b] = open().hosts;
      expect(await put(a, 'night', 'mine')).toBe('made');
      expect(await put(a, 'night', 'mine')).toBe('same');
      expect(await put(b, 'night', 'another')).toBe('other');
      expect(text(await b.get('night'))).toBe('mine');
    });

    it('stays free when the bytes cannot be made', async () => {
      const [blobs] = open().hosts;
      const failing = function* () {
        yield Buffer.from('half');
        throw new Error('no more bytes');
      };
      await expect(blobs.putOnce('a', failing())).rejects.toThrow('no more bytes');
      expect(await blobs.list('')).toEqual([]);
      expect(await put(blobs, 'a', 'whole')).toBe('made');
    });
  });

  describe(`a name in ${kind} whose bytes are replaced`, () => {
    it('has old bytes or new ones at each moment', async () => {
      const [a, b] = open().hosts;
      const versions = ['old '.repeat(20_000), 'new '.repeat(30_000)];
      await a.replace('a', Buffer.from(versions[0]!));
      const ended = new AbortController();
      const writer = (async () => {
        for (let n = 1; n <= 30; n++) await a.replace('a', Buffer.from(versions[n % 2]!));
        ended.abort();
      })();
      while (!ended.signal.aborted) expect(versions).toContain(text(await b.get('a')));
      await writer;
    });

    it('keeps the old bytes until the new ones are complete, and when the write fails before', async () => {
      const [a, b] = open().hosts;
      await put(a, 'a', 'old');
      const failing = async function* () {
        yield Buffer.from('half');
        throw new Error('no more bytes');
      };
      await expect(a.replace('a', failing())).rejects.toThrow('no more bytes');
      const refused = a.replace('a', Buffer.from('new'), async () => {
        expect(text(await b.get('a'))).toBe('old');
        throw new Error('not now');
      });
      await expect(refused).rejects.toThrow('not now');
      expect(text(await b.get('a'))).toBe('old');
      expect(await b.list('')).toEqual(['a']);
    });
  });

  describe(`names in ${kind}`, () => {
    const names = ['a/b/c', 'a/b-d', 'a/bc', 'b'];

    it('are listed by prefix, sorted', async () => {
      const [a, b] = open().hosts;
      for (const name of names.toReversed()) await put(a, name, name);
      expect(await b.list('')).toEqual(['a/b-d', 'a/b/c', 'a/bc', 'b']);
      expect(await b.list('a/b')).toEqual(['a/b-d', 'a/b/c', 'a/bc']);
      expect(await b.list('a/b/')).toEqual(['a/b/c']);
      expect(await b.list('a/c')).toEqual([]);
    });

    it('are all shown to those who tidy up, with their sizes and when they were written', async () => {
      const [a, b] = open().hosts;
      const began = Date.now() - 2_000;
      await put(a, 'a/b/c', 'four');
      await a.replace('a/bc', Buffer.from('seven77'));
      const found = await b.everything('a/b');
      expect(found.map(({ name, bytes }) => `${name} ${bytes}`).toSorted()).toEqual(['a/b/c 4', 'a/bc 7']);
      for (const { writtenAt } of found) expect(writtenAt).toBeGreaterThan(began);
      expect(await b.everything('a/c')).toEqual([]);
      expect(await b.everything('')).toHaveLength(2);
    });

    it('are moved and removed, alone or with everything below them', async () => {
      const [a, b] = open().hosts;
      for (const name of names) await put(a, name, name);
      expect(await b.move('a', 'aside/a')).toBe(true);
      expect(await a.list('')).toEqual(['aside/a/b-d', 'aside/a/b/c', 'aside/a/bc', 'b']);
      expect(text(await a.get('aside/a/b/c'))).toBe('a/b/c');
      await b.remove('aside');
      await b.remove('b');
      await b.remove('b');
      expect(await a.list('')).toEqual([]);
    });

    it('that are set aside get the next free number', async () => {
      const [blobs] = open().hosts;
      const place = placeIn(blobs, 'models', 'm');
      for (const number of [1, 2]) {
        await put(blobs, below(place, 'weights').name, 'damaged');
        expect(await setAside(place)).toBe(blobs.where(`models/m.damaged-${number}`));
      }
      expect(await setAside(place)).toBeNull();
      expect(await blobs.list('models/')).toEqual([
        'models/m.damaged-1/weights',
        'models/m.damaged-2/weights',
      ]);
    });

    it('have a path for other programs: a file, or a folder with everything in it', async () => {
      const [a, b] = open().hosts;
      for (const name of names) await put(a, name, name);
      expect(await readFile(await b.localCopy('b'), 'utf8')).toBe('b');
      const folder = await b.localCopy('a');
      for (const name of ['b/c', 'b-d', 'bc'])
        expect(await readFile(join(folder, name), 'utf8')).toBe(`a/${name}`);
    });
  });

  describe(`a store in ${kind}`, () => {
    it('keeps the files of an experiment, and finds them on another host', async () => {
      const { hosts, scratch } = open();
      const [a, b] = hosts.map((blobs) => experimentFiles(openStore(scratch, blobs), 'mine')) as [
        ReturnType<typeof experimentFiles>,
        ReturnType<typeof experimentFiles>,
      ];
      const rows = Array.from({ length: 300 }, (_, n) => ({ n }));
      const row = z.object({ n: z.number() });
      await writeDocument(a.config, { seed: 1 });
      const ref = await writeRows(a.shard(1, 'train', 0), rows);
      expect(ref.uri).toBe('mine/iteration-1/debates/shard-000.jsonl');
      expect(await findDocument(b.config, z.object({ seed: z.number() }))).toEqual({ seed: 1 });
      expect(await findRows(b.shard(1, 'train', 0))).toEqual(ref);
      const found: unknown[] = [];
      for await (const each of streamRows(b.shard(1, 'train', 0), row)) found.push(each);
      expect(found).toEqual(rows);
    });

    it('keeps a model that a trainer has made in its own folder, whole only with its manifest', async () => {
      const { hosts, scratch } = open();
      const store = openStore(scratch, hosts[0]);
      const key = 'a'.repeat(64);
      writeModel(openStore(scratch), key, 'weights');
      expect(existsSync(join(modelOutput(store, key), 'manifest.json'))).toBe(true);
      await storeModel(store, key);
      await sealModel(store, key);
      const there = openStore(scratch, hosts[1]);
      expect(await findModel(there, key)).toMatchObject({
        files: { 'adapter_model.safetensors': { bytes: 7 } },
      });
      const copy = await there.blobs.localCopy(`models/${key}`);
      expect(await readFile(join(copy, 'adapter_model.safetensors'), 'utf8')).toBe('weights');
      await hosts[0].remove(`models/${key}/manifest.json`);
      await hosts[0].remove(`models/${key}/manifest.json.ref.json`);
      expect(await findModel(there, key, () => expect.unreachable('it was never finished'))).toBeNull();
      expect(await hosts[0].list('models/')).toContain(`models/${key}/adapter_model.safetensors`);
    });
  });
}
