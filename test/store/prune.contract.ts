/** What `colloquy prune` may remove of a store in a bucket, and what holds when workers and other prunes are at work beside it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Blobs, isThere } from '../../src/store/blobs.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { findModel, sealModel, storeModel } from '../../src/store/models.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { findUnneeded, removeUnneeded } from '../../src/store/whole-store.ts';
import { writeModel } from '../export/exportable-experiment.ts';
import { temporaryFolder } from './temporary-folder.ts';

const day = 86_400_000;
const keyOf = (name: string): string => createHash('sha256').update(name).digest('hex');

export type Bucket = {
  /** As each of two hosts sees the bucket. */
  readonly hosts: readonly [Blobs, Blobs];
  /** Makes everything in it ten days older. */
  readonly age: () => void;
};

export function pruneContract(kind: string, open: () => Bucket): void {
  /** A store in the bucket, with a local folder of its own. */
  const storeOn = (blobs: Blobs): Store => openStore(temporaryFolder(), blobs);
  const look = (store: Store) => findUnneeded(store, Date.now() - 7 * day);
  /** As a worker makes a model: the request first, then the files, the manifest, and its seal. */
  const make = async (store: Store, key: string, experiment: string): Promise<void> => {
    await writeDocument(store.modelRequest(key), { experiment, init: { tuned: null } });
    writeModel(openStore(store.local), key, 'weights');
    await storeModel(store, key);
    await sealModel(store, key);
    if (!(await isThere(store.modelRequest(key))))
      await writeDocument(store.modelRequest(key), { experiment });
  };
  const noDamage = () => expect.unreachable('nothing may look damaged');

  describe(`a store in ${kind}`, () => {
    it('loses what nothing needs, in the bucket and among the files of the host that looks', async () => {
      const { hosts, age } = open();
      const store = storeOn(hosts[0]);
      const [gone, recorded, running] = ['gone', 'recorded', 'running'].map(keyOf) as [
        string,
        string,
        string,
      ];
      await make(store, gone, 'removed');
      await make(store, recorded, 'removed');
      await make(store, running, 'running');
      const put = (name: string, text: string) => store.blobs.replace(name, Buffer.from(text));
      await put('demo/config.json', '{"shared_answers": "kept"}');
      await put('demo/iteration-1/record.json', JSON.stringify({ fineTunes: [{ model: recorded }] }));
      await put('demo/iteration-0/outcomes.jsonl.damaged-1', 'x');
      await put('running/config.json', '{}');
      await put('answers/kept/0/i0-train-s000.journal/1-a-00001', 'x');
      await put('answers/old/0/i0-train-s000.journal/1-a-00001', 'x');
      age();
      const old = new Date(Date.now() - 10 * day);
      for (const name of [
        `models/${recorded}.checkpoints/step-1/state`,
        `models/${keyOf('under way')}.checkpoints/step-1/state`,
        'demo/iteration-1/debates/shard-000.journal.jsonl',
        'removed/iteration-1/debates/shard-000.journal.jsonl',
        'answers/old/0/i0-train-s000.journal.jsonl',
        'cache/copy/sha256.json',
        'logs/worker.log',
      ]) {
        mkdirSync(dirname(join(store.local, name)), { recursive: true });
        writeFileSync(join(store.local, name), 'x');
        utimesSync(join(store.local, name), old, old);
      }
      await put('young/config.json', JSON.stringify({ start: keyOf('under way') }));
      const found = await look(store);
      expect(found.map((each) => `${each.in} ${each.kind} ${each.names[0]}`).toSorted()).toEqual([
        'host answers answers/old',
        `host checkpoints models/${recorded}.checkpoints`,
        'host journals removed/iteration-1/debates/shard-000.journal.jsonl',
        'store answers answers/old',
        'store damaged demo/iteration-0/outcomes.jsonl.damaged-1',
        `store model models/${gone}`,
      ]);
      expect(await removeUnneeded(store, found)).toEqual(found);
      expect(await look(store)).toEqual([]);
      expect(await hosts[1].list(`models/${gone}`)).toEqual([]);
      expect(await findModel(storeOn(hosts[1]), recorded, noDamage)).not.toBeNull();
      expect(await findModel(storeOn(hosts[1]), running, noDamage)).not.toBeNull();
      expect(existsSync(join(store.local, 'demo/iteration-1/debates/shard-000.journal.jsonl'))).toBe(true);
    });

    it('keeps what was written between the look and the removal', async () => {
      const { hosts, age } = open();
      const [pruning, worker] = hosts.map(storeOn) as [Store, Store];
      const key = keyOf('gone');
      await make(worker, key, 'removed');
      age();
      const found = await look(pruning);
      expect(found).toHaveLength(1);
      // With equal bytes, as the model is made again.
      await make(worker, key, 'new');
      expect(await removeUnneeded(pruning, found)).toEqual([]);
      expect(await findModel(worker, key, noDamage)).not.toBeNull();
    });

    it('is pruned by two at once as by one', async () => {
      const { hosts, age } = open();
      const stores = hosts.map(storeOn) as [Store, Store];
      const gone = ['a', 'b', 'c'].map(keyOf);
      for (const key of gone) await make(stores[0], key, 'removed');
      await make(stores[0], keyOf('needed'), 'demo');
      await stores[0].blobs.replace('demo/config.json', Buffer.from('{}'));
      age();
      await Promise.all(stores.map(async (store) => removeUnneeded(store, await look(store))));
      for (const key of gone) expect(await hosts[1].list(`models/${key}`)).toEqual([]);
      expect(await findModel(stores[1], keyOf('needed'), noDamage)).not.toBeNull();
      expect(await look(stores[0])).toEqual([]);
    });

    it('has a model whole or not at all after each request of a prune that is killed then', async () => {
      const { hosts, age } = open();
      const worker = storeOn(hosts[1]);
      const key = keyOf('gone');
      let removed: unknown = null;
      for (let requests = 0; removed === null; requests += 1) {
        await make(worker, key, 'removed');
        age();
        const { blobs, done } = interrupted(hosts[0], requests, () => Promise.reject(new Error('killed')));
        const pruning = storeOn(blobs);
        removed = await look(storeOn(hosts[0]))
          .then((found) => removeUnneeded(pruning, found))
          .catch(() => null);
        const there = await findModel(worker, key, noDamage);
        expect(there === null || (await hosts[1].size(`models/${key}/manifest.json`)) !== null).toBe(true);
        // The next one finds the rest.
        age();
        await removeUnneeded(storeOn(hosts[0]), await look(storeOn(hosts[0])));
        expect(await hosts[1].list(`models/${key}`)).toEqual([]);
        expect(done()).toBe(removed === null);
      }
      expect(removed).toHaveLength(1);
    });

    it('has a model that a worker makes again at any request of a prune, at the latest when the worker looks once more', async () => {
      const { hosts, age } = open();
      const worker = storeOn(hosts[1]);
      const key = keyOf('gone');
      let damaged = 0;
      for (let requests = 0; ; requests += 1) {
        await make(worker, key, 'removed');
        age();
        const found = await look(storeOn(hosts[0]));
        expect(found.map(({ names }) => names[0])).toEqual([`models/${key}`]);
        const { blobs, done } = interrupted(hosts[0], requests, () => make(worker, key, 'new'));
        await removeUnneeded(storeOn(blobs), found);
        if (!done()) break;
        const record = { fineTunes: [{ model: key }] };
        await hosts[1].replace('new/iteration-1/record.json', Buffer.from(JSON.stringify(record)));
        if ((await findModel(worker, key, () => void (damaged += 1))) === null)
          await make(worker, key, 'new');
        expect(await findModel(worker, key, noDamage)).not.toBeNull();
        // And nobody takes it for unneeded.
        age();
        expect((await look(storeOn(hosts[0]))).filter(({ kind: each }) => each === 'model')).toEqual([]);
        await hosts[1].remove('new');
        await hosts[1].remove('models');
      }
      // Only where it was made between a prune's look at a file and that file's removal.
      expect(damaged).toBeLessThanOrEqual(3);
    });
  });
}

/** Blobs with which `then` happens before the request of this number, of those that a removal makes. */
function interrupted(blobs: Blobs, number: number, then: () => Promise<void>) {
  let requests = 0;
  const counting = async (): Promise<void> => {
    if (requests++ === number) await then();
  };
  return {
    blobs: {
      ...blobs,
      everything: async (prefix: string) => (await counting(), blobs.everything(prefix)),
      remove: async (name: string) => (await counting(), blobs.remove(name)),
    },
    /** Whether there was such a request. */
    done: () => requests > number,
  };
}
