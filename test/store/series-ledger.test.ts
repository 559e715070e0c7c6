import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeriesDamaged } from '../../src/store/errors.ts';
import { addToLedger, heldOutOf, type NightEntry, readLedger, seriesFiles } from '../../src/store/series.ts';
import { openStore, type Store } from '../../src/store/store.ts';
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
    },
  ],
  maxDrop: 0.03,
  made: [{ number: 1, models: { generation: null, critic: 'a'.repeat(64) } }],
  next: null,
  asked: [{ cycle: 0, keys: ['0123456789abcdef'] }],
  position: 1,
  fixed: { agents: 1 },
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

  it('takes one of many nights that want the same place, whole, and leaves nothing of the others', async () => {
    const names = Array.from({ length: 20 }, (_, each) => `night-${each}`);
    const won = await Promise.all(names.map((name) => addToLedger(store, night(1, name), heldOut)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await readLedger(store, 'demo'))[0]!.experiment).toBe(names[won.indexOf(true)]);
    expect(await readdir(seriesFiles(store, 'demo').folder)).toEqual(['night-00001']);
  });

  it('does not count a night that was being added when its writer was killed', async () => {
    await addToLedger(store, night(1), heldOut);
    const { folder } = seriesFiles(store, 'demo');
    await cp(join(folder, 'night-00001'), join(folder, '.night-00002.some-uuid.tmp'), { recursive: true });
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
  ])('says which night is %s, and what to do, instead of beginning again', async (_, harm, told) => {
    for (const sequence of [1, 2, 3]) await addToLedger(store, night(sequence), heldOut);
    const entry = seriesFiles(store, 'demo').entry(2);
    await harm(entry);
    const reading = readLedger(store, 'demo');
    await expect(reading).rejects.toThrow(SeriesDamaged);
    await expect(reading).rejects.toThrow(`${entry} ${told}`);
    await expect(reading).rejects.toThrow(/Put the file .* back/);
  });

  it('goes on from the night before when a damaged one is moved out of it with all later ones', async () => {
    for (const sequence of [1, 2]) await addToLedger(store, night(sequence), heldOut);
    const entry = seriesFiles(store, 'demo').entry(2);
    await writeFile(entry, '{}');
    await cp(dirname(entry), join(root, 'aside'), { recursive: true });
    await rm(dirname(entry), { recursive: true });
    expect(await readLedger(store, 'demo')).toEqual([night(1)]);
    expect(await addToLedger(store, night(2), heldOut)).toBe(true);
  });
});
