import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hubDatasets } from '../../src/config/names.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { DatasetNotReachable } from '../../src/questions/errors.ts';
import { hubFile } from '../../src/questions/dataset-files.ts';
import { loadTask } from './load-task.ts';
import { type FakeHub, startFakeHub } from './fake-hub.ts';
import { parquetOf, sampleFiles, writeDataset } from './samples.ts';

const files = new Map<string, Uint8Array>();
let cache = '';
let hub: FakeHub;
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'colloquy-hub-'));
  hub = await startFakeHub(files);
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HUB_OFFLINE', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  files.clear();
  await hub.close();
  rmSync(cache, { recursive: true });
});

const sizes = { train: 30, test: 20 };

/** Puts small samples where the hub has the dataset. */
function publish(kind: keyof typeof sampleFiles): void {
  const { name, revision } = hubDatasets[kind];
  for (const [path, content] of Object.entries(sampleFiles[kind](sizes))) {
    const lines = content.map((row) => `${JSON.stringify(row)}\n`).join('');
    const bytes = path.endsWith('.parquet') ? parquetOf(content) : new TextEncoder().encode(lines);
    files.set(`${name}/resolve/${revision}/${path}`, bytes);
  }
}

const load = (task: object) =>
  loadTask(resolveConfig({ preset: 'paper', task: { train_size: 10, test_size: 5, ...task } }));
const refusal = async (loading: Promise<unknown>) => loading.catch((reason: unknown) => String(reason));
const gsm8k = { name: 'openai/gsm8k', revision: hubDatasets.gsm8k.revision, setting: 'task.dataset_path' };

describe('a dataset on the hub', () => {
  it.each(['gsm8k', 'math', 'math-500', 'mmlu'] as const)(
    '%s is downloaded at its pinned commit, once, and has the questions of a local copy',
    async (kind) => {
      publish(kind);
      if (kind === 'math-500') publish('math');
      const data = await load({ kind });
      const times = hub.asked.length;
      expect(hub.asked.filter((path) => !files.has(path.replace('/cdn/', '')))).toEqual([]);
      expect(await load({ kind })).toEqual(data);
      expect(hub.asked).toHaveLength(times);
      const copies = {
        dataset_path: writeDataset(join(cache, 'copy', kind), kind, sizes),
        ...(kind === 'math-500'
          ? { train_dataset_path: writeDataset(join(cache, 'copy', 'math'), 'math', sizes) }
          : {}),
      };
      const { train, heldOut } = await load({ kind, ...copies });
      expect({ train, heldOut }).toEqual({ train: data.train, heldOut: data.heldOut });
    },
  );

  it('lies in the cache as Hugging Face’s own tools have it', async () => {
    publish('gsm8k');
    await load({ kind: 'gsm8k' });
    const path = join(cache, 'datasets--openai--gsm8k/snapshots', gsm8k.revision, 'main');
    expect(readFileSync(join(path, 'train-00000-of-00001.parquet'))).toEqual(
      Buffer.from(files.get(`openai/gsm8k/resolve/${gsm8k.revision}/main/train-00000-of-00001.parquet`)!),
    );
  });

  it('is asked for at the commit that the config names', async () => {
    const revision = '0123456789abcdef0123456789abcdef01234567';
    const loading = load({ kind: 'gsm8k', revision });
    await expect(loading).rejects.toThrow(`at revision ${revision}`);
    expect(hub.asked).toEqual([`openai/gsm8k/resolve/${revision}/main/train-00000-of-00001.parquet`]);
  });

  it('is found in the cache when HF_HUB_OFFLINE is set, and no server is asked', async () => {
    publish('gsm8k');
    const data = await load({ kind: 'gsm8k' });
    const before = hub.asked.length;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await load({ kind: 'gsm8k' })).toEqual(data);
    expect(hub.asked).toHaveLength(before);
  });

  it.each(['1', 'on', 'YES', 'True'])('is not asked for when HF_HUB_OFFLINE is %s', async (offline) => {
    vi.stubEnv('HF_HUB_OFFLINE', offline);
    const told = await refusal(load({ kind: 'mmlu' }));
    expect(told).toContain('HF_HUB_OFFLINE is set, and ');
    expect(told).toContain(join(cache, 'datasets--cais--mmlu'));
    expect(hub.asked).toEqual([]);
  });

  it('that cannot be reached is reported with its name, its revision and what to do', async () => {
    await hub.close();
    const error = await load({ kind: 'gsm8k' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DatasetNotReachable);
    const told = String(error);
    for (const said of [
      'main/train-00000-of-00001.parquet',
      `openai/gsm8k at revision ${gsm8k.revision}`,
      hub.url,
      'ECONNREFUSED',
      `hf download openai/gsm8k --repo-type dataset --revision ${gsm8k.revision} --local-dir FOLDER`,
      'set task.dataset_path to that folder',
    ])
      expect(told).toContain(said);
  });

  it('names the setting of the dataset that lacks: MATH-500 trains on MATH', async () => {
    publish('math-500');
    expect(await refusal(load({ kind: 'math-500' }))).toContain('set task.train_dataset_path to that folder');
  });

  it('that has no such file is refused', async () => {
    expect(await refusal(load({ kind: 'gsm8k' }))).toContain('that revision has no such file');
  });

  it('leaves no part of a file in the cache when the download is given up', async () => {
    publish('gsm8k');
    const given = AbortSignal.abort(new Error('given up'));
    const path = 'main/train-00000-of-00001.parquet';
    await expect(hubFile(gsm8k, path, given)).rejects.toThrow('given up');
    expect(existsSync(join(cache, 'datasets--openai--gsm8k'))).toBe(false);
  });

  it('is whole in the cache when two experiments begin at once', async () => {
    publish('gsm8k');
    const both = await Promise.all([load({ kind: 'gsm8k' }), load({ kind: 'gsm8k' })]);
    expect(both[0]).toEqual(both[1]);
  });

  it.skipIf(process.getuid?.() === 0)('says when the cache cannot be written', async () => {
    publish('gsm8k');
    mkdirSync(join(cache, 'datasets--openai--gsm8k'));
    chmodSync(join(cache, 'datasets--openai--gsm8k'), 0o500);
    expect(await refusal(load({ kind: 'gsm8k' }))).toContain('set HF_HOME to a folder that can be');
    chmodSync(join(cache, 'datasets--openai--gsm8k'), 0o700);
  });

  it('that was damaged in the cache is refused, with the file', async () => {
    publish('gsm8k');
    await load({ kind: 'gsm8k' });
    const path = join(
      cache,
      'datasets--openai--gsm8k/snapshots',
      gsm8k.revision,
      'main/test-00000-of-00001.parquet',
    );
    writeFileSync(path, 'no parquet');
    const told = await refusal(load({ kind: 'gsm8k' }));
    expect(told).toContain(path);
    expect(told).toContain('cannot be read as Parquet');
  });
});
