import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../src/cli/commands/doctor.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { openStore } from '../../src/store/store.ts';
import { findUnneeded, removeUnneeded } from '../../src/store/whole-store.ts';
import { temporaryFolder } from './temporary-folder.ts';

const day = 86_400_000;
const keyOf = (name: string) => createHash('sha256').update(name).digest('hex');

/** A store with files of these names and texts, all written ten days ago. */
function storeWith(files: Readonly<Record<string, string>>) {
  const root = temporaryFolder();
  for (const [name, text] of Object.entries(files)) put(root, name, text, 10);
  const store = openStore(root);
  const unneeded = () => findUnneeded(store, Date.now() - 7 * day);
  return { root, store, unneeded };
}

function put(root: string, name: string, text: string, daysAgo: number): void {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  const at = new Date(Date.now() - daysAgo * day);
  utimesSync(path, at, at);
}

/** The files of a finished model that an experiment asked for, trained from another. */
function model(key: string, experiment: string, from?: string): Record<string, string> {
  return {
    [`models/${key}/manifest.json`]: '{"files": {}}',
    [`models/${key}/adapter.safetensors`]: 'weights',
    [`models/${key}.request.json`]: JSON.stringify({
      experiment,
      init: { tuned: from === undefined ? null : { key: from } },
    }),
  };
}

describe('what is unneeded in a store', () => {
  it('is a model that no experiment, series or other model refers to', async () => {
    const [recorded, start, gone, ofNight, unfinished] = [
      'recorded',
      'start',
      'gone',
      'night',
      'unfinished',
    ].map(keyOf);
    const { root, store, unneeded } = storeWith({
      ...model(recorded!, 'removed', start),
      ...model(start!, 'removed'),
      ...model(gone!, 'removed'),
      ...model(ofNight!, 'removed'),
      ...model(unfinished!, 'running'),
      'demo/config.json': '{}',
      'demo/iteration-1/record.json': JSON.stringify({ fineTunes: [{ model: recorded }] }),
      'running/config.json': '{}',
      'series/nightly/night-00001/night.json': JSON.stringify({
        made: [{ models: { generation: ofNight } }],
      }),
    });
    const found = await unneeded();
    expect(found.map(({ kind, names }) => [kind, names])).toEqual([
      ['model', [`models/${gone}`, `models/${gone}.request.json`]],
    ]);
    expect(found[0]!.bytes).toBeGreaterThan(20);
    expect(await removeUnneeded(store, found)).toEqual(found);
    expect(existsSync(join(root, 'models', gone!))).toBe(false);
    expect(existsSync(join(root, 'models', `${gone}.request.json`))).toBe(false);
    for (const key of [recorded, start, ofNight, unfinished])
      expect(existsSync(join(root, 'models', key!, 'adapter.safetensors'))).toBe(true);
    expect(await unneeded()).toEqual([]);
  });

  it('is what was set aside, what killed writers left, and checkpoints of finished models and of trials', async () => {
    const [done, under] = ['done', 'under way'].map(keyOf);
    const { unneeded } = storeWith({
      ...model(done!, 'demo'),
      [`models/${done}.checkpoints/step-1/state`]: 'x',
      [`models/${under}.checkpoints/step-1/state`]: 'x',
      [`models/${under}.request.json`]: '{"experiment": "demo"}',
      [`models/${done}.damaged-1/adapter.safetensors`]: 'x',
      'models/trial-11111111-2222.checkpoints/adapter': 'x',
      'demo/config.json': '{"shared_answers": "kept"}',
      'demo/iteration-0/outcomes.jsonl.damaged-2': 'x',
      'demo/.report.html.abc-1-11111111-2222-3333-4444-555555555555.tmp': 'x',
      'answers/kept/0/i0-train-s000.journal.jsonl': 'x',
      'answers/old/0/i0-train-s000.journal.jsonl': 'x',
    });
    expect((await unneeded()).map(({ kind, names }) => `${kind} ${names.join()}`).toSorted()).toEqual(
      [
        'answers answers/old',
        `checkpoints models/${done}.checkpoints`,
        'checkpoints models/trial-11111111-2222.checkpoints',
        'damaged demo/iteration-0/outcomes.jsonl.damaged-2',
        `damaged models/${done}.damaged-1`,
        'temporary demo/.report.html.abc-1-11111111-2222-3333-4444-555555555555.tmp',
      ].toSorted(),
    );
  });

  it('is nothing that was written lately, also when that was between the look and the removal', async () => {
    const [young, old] = ['young', 'old'].map(keyOf);
    const { root, store, unneeded } = storeWith({ ...model(young!, 'removed'), ...model(old!, 'removed') });
    put(root, `models/${young}/adapter.safetensors`, 'weights', 1);
    const found = await unneeded();
    expect(found.map(({ names }) => names[0])).toEqual([`models/${old}`]);
    put(root, `models/${old}/adapter.safetensors`, 'again', 0);
    expect(await removeUnneeded(store, found)).toEqual([]);
    expect(readFileSync(join(root, 'models', old!, 'adapter.safetensors'), 'utf8')).toBe('again');
  });

  it('is nothing where there is no store yet', async () => {
    expect(await findUnneeded(openStore(join(temporaryFolder(), 'none')), Date.now())).toEqual([]);
  });
});

describe('a store', () => {
  it('is whole when each file has the bytes of its seal or its manifest, and otherwise says which has not', async () => {
    const { root, store } = storeWith({});
    await writeDocument(store.place('demo/result.json'), { accuracy: 0.9 });
    await writeDocument(store.place('demo/config.json'), { seed: 1 });
    const key = keyOf('model');
    const sha256 = createHash('sha256').update('weights').digest('hex');
    const manifest = JSON.stringify({ files: { 'adapter.safetensors': { sha256, bytes: 7 } } });
    put(root, `models/${key}/manifest.json`, manifest, 0);
    put(root, `models/${key}/adapter.safetensors`, 'weights', 0);
    put(root, 'demo/result.json.damaged-1', 'set aside', 0);
    expect(await checkStore(store)).toMatchObject({ files: 3, faults: [] });

    put(root, `models/${key}/adapter.safetensors`, 'weigHts', 0);
    put(root, 'demo/result.json', '{"accuracy": 1}', 0);
    put(
      root,
      'lost/config.json.ref.json',
      readFileSync(join(root, 'demo', 'config.json.ref.json'), 'utf8'),
      0,
    );
    put(root, 'odd/config.json.ref.json', 'not JSON', 0);
    put(root, 'series/nightly/night-00001/night.json', '{', 0);
    const { faults } = await checkStore(store);
    expect(faults.map(({ name, problem }) => `${name}: ${problem}`)).toEqual([
      'demo/result.json: does not have the bytes that were written',
      'lost/config.json: is gone',
      `models/${key}/adapter.safetensors: does not have the bytes that were written`,
      'odd/config.json: its seal cannot be read',
      expect.stringMatching(/^series\/nightly: .*night-00001/),
    ]);
  });
});
