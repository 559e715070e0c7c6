import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noneCutOff } from '../../src/algorithm/measures/cost.ts';
import { NotVisibleYet, SeriesDamaged } from '../../src/store/errors.ts';
import { addToLedger, heldOutHash, heldOutOf, type NightEntry, readLedger } from '../../src/store/series.ts';
import { openStore, seriesFiles, type Store } from '../../src/store/store.ts';
import { laggingHosts } from '../support/lagging-blobs.ts';
import { temporaryFolder } from './temporary-folder.ts';

const heldOut = [{ id: 'heldout-00000', text: '1+1', answer: '2' }];
const accuracy = { accuracy: 0.5, standardError: 0.1 };
const night = (sequence: number, experiment = `night-${sequence}`): NightEntry => ({
  formatVersion: 1,
  series: 'demo',
  sequence,
  from: null,
  outcome: 'accepted',
  said: 'carried on',
  experiment,
  evaluations: [
    {
      iteration: 0,
      questions: 1,
      single: accuracy,
      majority: accuracy,
      debate: accuracy,
      debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
      cutOff: noneCutOff,
    },
  ],
  maxDrop: 0.03,
  made: [{ number: 1, models: { generation: null, critic: 'a'.repeat(64) } }],
  next: null,
  asked: [{ cycle: 0, keys: ['0123456789abcdef'] }],
  position: 1,
  fixed: { agents: 1 },
  heldOut: heldOutHash(heldOut),
  finishedAt: '2026-11-23T02:00:00.000Z',
});

describe('the ledger of a series', () => {
  let root: string;
  let store: Store;
  beforeEach(() => {
    root = temporaryFolder();
    store = openStore(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('has the nights in their order, and the first one’s held-out questions', async () => {
    expect(await readLedger(store, 'demo')).toEqual([]);
    for (const sequence of [1, 2, 3]) expect(await addToLedger(store, night(sequence), heldOut)).toBe(true);
    expect(await readLedger(store, 'demo')).toEqual([night(1), night(2), night(3)]);
    expect(await heldOutOf(store, 'demo')).toEqual(heldOut);
  });

  it('takes one of several nights with the same number, whole, and leaves nothing of the others', async () => {
    const names = Array.from({ length: 20 }, (_, each) => `night-${each}`);
    const won = await Promise.all(names.map((name) => addToLedger(store, night(1, name), heldOut)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await readLedger(store, 'demo'))[0]!.experiment).toBe(names[won.indexOf(true)]);
    expect(await readdir(seriesFiles(store, 'demo').folder.where)).toEqual(['night-00001']);
  });

  it.each([1, 5, 20])(
    'gives each number to one night when hosts see each other’s changes %i operations late, and every host reads the same nights',
    async (delay) => {
      const stores = laggingHosts(3, delay, root).map((blobs) => openStore(root, blobs));
      // Like a night's last step: reads, adds after the last night, and tries again when another night was first.
      const add = async (host: Store, experiment: string): Promise<void> => {
        for (let tries = 0; tries < 20 * delay + 20; tries++) {
          const known = await readLedger(host, 'demo').catch(retriable);
          if (known === null) continue;
          if (await addToLedger(host, night(known.length + 1, experiment), heldOut).catch(retriable)) return;
        }
        expect.unreachable('it was never added');
      };
      const retriable = (error: unknown): null => {
        if (error instanceof NotVisibleYet || error instanceof SeriesDamaged) return null;
        throw error;
      };
      await Promise.all(stores.map((host, n) => add(host, `of-host-${n}`)));
      const seen = async (host: Store) => {
        for (let tries = 0; tries < delay + 2; tries++) await host.blobs.list('');
        return (await readLedger(host, 'demo')).map(({ experiment }) => experiment);
      };
      const orders = await Promise.all(stores.map(seen));
      expect(orders[0]!.toSorted()).toEqual(['of-host-0', 'of-host-1', 'of-host-2']);
      expect(orders).toEqual([orders[0], orders[0], orders[0]]);
    },
  );

  it('does not count a night that was being added when its writer was killed', async () => {
    await addToLedger(store, night(1), heldOut);
    const { folder } = seriesFiles(store, 'demo');
    await cp(join(folder.where, 'night-00001'), join(folder.where, 'night-00002'), { recursive: true });
    for (const committed of ['night.json', 'night.json.ref.json'])
      await rm(join(folder.where, 'night-00002', committed));
    expect(await readLedger(store, 'demo')).toHaveLength(1);
    expect(await addToLedger(store, night(2), heldOut)).toBe(true);
  });

  it.each([
    ['damaged', (entry: string) => writeFile(entry, '{}'), 'is damaged'],
    ['gone', (entry: string) => rm(entry), 'is missing'],
    ['gone with its folder', (entry: string) => rm(dirname(entry), { recursive: true }), 'is missing'],
    [
      'another night',
      (entry: string) => cp(join(dirname(entry), '..', 'night-00001'), dirname(entry), { recursive: true }),
      'is night 1 of demo',
    ],
  ])('reports which night is %s, and what to do, instead of beginning again', async (_, harm, problem) => {
    for (const sequence of [1, 2, 3]) await addToLedger(store, night(sequence), heldOut);
    const entry = seriesFiles(store, 'demo').entry(2).where;
    await harm(entry);
    const reading = readLedger(store, 'demo');
    await expect(reading).rejects.toThrow(SeriesDamaged);
    await expect(reading).rejects.toThrow(`${entry} ${problem}`);
    await expect(reading).rejects.toThrow(/Put the file .* back/);
  });

  it('continues from the night before when a damaged night and all later ones are moved out of it', async () => {
    for (const sequence of [1, 2]) await addToLedger(store, night(sequence), heldOut);
    const entry = seriesFiles(store, 'demo').entry(2).where;
    await writeFile(entry, '{}');
    await cp(dirname(entry), join(root, 'aside'), { recursive: true });
    await rm(dirname(entry), { recursive: true });
    expect(await readLedger(store, 'demo')).toEqual([night(1)]);
    expect(await addToLedger(store, night(2), heldOut)).toBe(true);
  });
});
