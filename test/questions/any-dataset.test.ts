/** Any dataset of the hub, on the local stand-in, with real Parquet files. Every question is our own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { layoutOf } from '../../src/questions/dataset-files.ts';
import { type FakeHub, startFakeHub } from './fake-hub.ts';
import { loadHeldOut, loadTask } from './load-task.ts';
import { gsm8kRow, parquetOf, type Row, rows, writeRows } from './samples.ts';

const commit = 'c'.repeat(40);
const newer = 'd'.repeat(40);
const files = new Map<string, Uint8Array>();
let cache = '';
let hub: FakeHub;
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'colloquy-any-'));
  hub = await startFakeHub(files, { 'me/sums': commit });
  vi.stubEnv('HF_HOME', cache);
  vi.stubEnv('HF_HUB_CACHE', join(cache, 'hub'));
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HUB_OFFLINE', '');
  vi.stubEnv('HF_TOKEN', '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  files.clear();
  await hub.close();
  rmSync(cache, { recursive: true });
});

const card = (...configs: object[]) =>
  new TextEncoder().encode(`---\nconfigs: ${JSON.stringify(configs)}\n---\n# Sums\n`);
function publish(content: Record<string, readonly Row[] | Uint8Array>, at = commit): void {
  for (const [path, each] of Object.entries(content)) {
    const lines = Array.isArray(each) ? each.map((row) => `${JSON.stringify(row)}\n`).join('') : '';
    const bytes = Array.isArray(each)
      ? path.endsWith('.parquet')
        ? parquetOf(each)
        : new TextEncoder().encode(lines)
      : (each as Uint8Array);
    files.set(`me/sums/resolve/${at}/${path}`, bytes);
  }
}
const sum = (n: number) => ({ question: `What is ${n}+1?`, answer: String(n + 1) });
const task = (settings: object) =>
  resolveConfig({
    preset: 'paper',
    task: { kind: 'hub', dataset: 'me/sums', train_size: 4, test_size: 2, ...settings },
  });
const load = (settings: object = {}) => loadTask(task(settings));
const refusal = async (settings: object) => load(settings).catch((reason: unknown) => String(reason));

describe('a task from any dataset of the hub', () => {
  it('reads the splits that its card names from Parquet files, in their order, at the newest commit', async () => {
    publish({
      'README.md': card(
        { config_name: 'hard', data_files: [{ split: 'train', path: 'hard/*' }] },
        {
          config_name: 'main',
          default: true,
          data_files: [
            { split: 'train', path: 'main/train-*' },
            { split: 'test', path: ['main/test-*.parquet'] },
          ],
        },
      ),
      'hard/a.parquet': rows(90, 99, sum),
      'main/train-00000-of-00002.parquet': rows(0, 2, sum),
      'main/train-00001-of-00002.parquet': rows(2, 4, sum),
      'main/test-00000-of-00001.parquet': rows(50, 52, sum),
    });
    const { train, trainLabels, heldOut, source } = await load();
    expect(train.map(({ text }) => text)).toEqual([0, 1, 2, 3].map((n) => `What is ${n}+1?`));
    expect(trainLabels.map(({ answer }) => answer)).toEqual(['1', '2', '3', '4']);
    expect(heldOut.map(({ answer }) => answer)).toEqual(['51', '52']);
    expect(source).toEqual({ dataset: 'me/sums', revision: commit, config: 'main' });
    expect((await loadHeldOut(task({}))).map(({ answer }) => answer)).toEqual(['51', '52']);
  });

  it('asks the same questions of a pinned commit although the dataset has a newer one', async () => {
    publish({ 'train.jsonl': rows(0, 4, sum), 'test.jsonl': rows(50, 52, sum) });
    const begun = await load();
    hub.commits.set('me/sums', newer);
    publish({ 'train.jsonl': rows(20, 24, sum), 'test.jsonl': rows(70, 72, sum) }, newer);
    expect(await load({ revision: commit })).toEqual(begun);
    expect((await load()).source?.revision).toBe(newer);
  });

  it('names columns, fields within them, and where the gold answer stands', async () => {
    const row = (n: number) => ({
      asked: { text: `Add ${n} and 1.`, language: 'en' },
      worked: `It is ${n} and one more.\n#### ${(n + 1001).toLocaleString('en')}`,
      boxed: String.raw`No \boxed{0}, but \boxed{${n + 1}}.`,
      said: `ANSWER: ${n + 1}`,
    });
    publish({ 'data/train.parquet': rows(0, 4, row), 'data/test.parquet': rows(50, 52, row) });
    const labels = async (answer: string, gold?: unknown) =>
      (
        await load({ columns: { question: 'asked.text', answer }, ...(gold ? { gold } : {}) })
      ).trainLabels.map((label) => label.answer);
    expect(await labels('worked', { after: '####' })).toEqual(['1001', '1002', '1003', '1004']);
    expect(await labels('worked')).toEqual(['1001', '1002', '1003', '1004']);
    expect(await labels('boxed', 'boxed')).toEqual(['1', '2', '3', '4']);
    expect(await labels('said', { after: 'ANSWER:' })).toEqual(['1', '2', '3', '4']);
    const wrong = await refusal({ columns: { question: 'asked.text', answer: 'said' }, gold: 'boxed' });
    expect(wrong).toContain(String.raw`row 1: answer: has no final answer (… \boxed{42} …)`);
  });

  it('asks multiple choice with the choices of a column, and grades letters and places', async () => {
    const row = (n: number) => ({
      stem: `Which river is the ${n}th?`,
      options: { text: [`Alder ${n}`, `Birch ${n}`], label: ['A', 'B'] },
      key: 'B',
    });
    publish({ 'train.parquet': rows(0, 4, row), 'test.parquet': rows(50, 52, row) });
    const { train, heldOut } = await load({
      columns: { question: 'stem', choices: 'options.text', answer: 'key' },
    });
    expect(train[0]?.text).toContain('A) Alder 0\nB) Birch 0');
    expect(heldOut[0]?.answer).toBe('(B) Birch 50');
  });

  it('holds out a part of the training split where no other is named, and trains on no measured question', async () => {
    publish({ 'train.jsonl': rows(0, 30, sum), 'test.jsonl': rows(2, 40, sum) });
    const drawn = await load({ splits: { train: 'train' }, train_size: 25, test_size: 5 });
    expect(new Set([...drawn.train, ...drawn.heldOut].map(({ text }) => text)).size).toBe(30);
    const apart = await load({ train_size: 2 });
    expect(apart.train.map(({ text }) => text)).toEqual(['What is 0+1?', 'What is 1+1?']);
    expect(apart.leftOut).toContainEqual(
      expect.objectContaining({ what: 'training questions that me/sums (test) has too', count: 28 }),
    );
  });

  it('asks GSM8K’s questions as the task of its own does', async () => {
    const content = { train: rows(0, 20, gsm8kRow), test: rows(100, 110, gsm8kRow) };
    const folder = join(cache, 'copy');
    for (const split of ['train', 'test'] as const)
      writeRows(join(folder, `main/${split}-00000-of-00001.parquet`), content[split]);
    const copied = { dataset_path: folder, train_size: 20, test_size: 10 };
    const own = await loadTask(resolveConfig({ preset: 'paper', task: { kind: 'gsm8k', ...copied } }));
    const { source, ...any } = await load({ ...copied, gold: { after: '####' } });
    expect(any).toEqual(own);
    expect(source).toEqual({ dataset: 'me/sums', revision: null, config: 'main' });
    expect(hub.asked).toEqual([]);
  });

  it('is found in the cache when there is no network, at the commit that it had', async () => {
    publish({ 'train.jsonl': rows(0, 4, sum), 'test.jsonl': rows(50, 52, sum) });
    const before = await load();
    expect(readFileSync(join(cache, 'hub/datasets--me--sums/refs/main'), 'utf8')).toBe(commit);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const asked = hub.asked.length;
    expect(await load()).toEqual(before);
    expect(hub.asked).toHaveLength(asked);
    vi.stubEnv('HF_HUB_OFFLINE', '');
    await hub.close();
    expect(await load()).toEqual(before);
  });

  it.each([
    [
      'a column',
      { columns: { question: 'query', answer: 'answer' } },
      'The columns there are "question", "answer"',
    ],
    [
      'a split',
      { splits: { train: 'training', test: 'test' } },
      'me/sums has no split "training", only "test", "train"',
    ],
    ['a config', { config: 'hard' }, 'task.config: me/sums has no config "hard", only "default"'],
    ['a commit', { revision: newer }, `has no revision ${newer} on the hub`],
    ['a dataset', { dataset: 'me/never' }, 'The hub shows somebody without a token no dataset me/never'],
    ['more questions than there are', { train_size: 9 }, 'task.train_size: 9 questions were asked for'],
    ['a branch', { revision: 'main' }, 'expected a commit of the dataset'],
  ])('refuses %s that is not there, and says what is', async (_, settings, words) => {
    publish({ 'train.jsonl': rows(0, 4, sum), 'test.jsonl': rows(50, 52, sum) });
    let said: unknown;
    try {
      said = await refusal(settings);
    } catch (error) {
      said = String(error);
    }
    expect(said).toContain(words);
  });

  it('refuses a dataset without rows that it can read, with its files', async () => {
    publish({ 'train.csv': new TextEncoder().encode('question,answer\n1,2\n') });
    expect(await refusal({})).toContain('no files of Parquet or JSON lines, only "train.csv"');
  });

  it('of a gated dataset says what to do, and reads it with a token that may', async () => {
    publish({ 'train.jsonl': rows(0, 4, sum), 'test.jsonl': rows(50, 52, sum) });
    hub.gated.set('me/sums', 'hf_may');
    const told = await refusal({});
    for (const words of [
      'without a token',
      `open ${hub.url}/datasets/me/sums and accept its terms`,
      'set HF_TOKEN',
    ])
      expect(told).toContain(words);
    vi.stubEnv('HF_TOKEN', 'hf_other');
    expect(await refusal({})).toContain('the account of the token of HF_TOKEN');
    expect(await refusal({})).not.toContain('hf_other');
    // Sent, it would stand in the error of the line that cannot be sent.
    vi.stubEnv('HF_TOKEN', 'hf_one\nhf_two');
    expect(await refusal({})).not.toMatch(/hf_one|hf_two/);
    vi.stubEnv('HF_TOKEN', 'hf_may');
    expect((await load()).train).toHaveLength(4);
  });
});

describe('the files of a dataset', () => {
  const splitsOf = (paths: string[], text: string | null = null) =>
    Object.fromEntries(
      [
        ...layoutOf(
          paths.map((path) => ({ path, size: 1 })),
          text,
        ).configs,
      ].map(([config, splits]) => [
        config,
        Object.fromEntries([...splits].map(([split, all]) => [split, all.map(({ path }) => path)])),
      ]),
    );

  it.each([
    [
      ['data/train-00000-of-00001-0123456789abcdef.parquet'],
      { default: { train: ['data/train-00000-of-00001-0123456789abcdef.parquet'] } },
    ],
    [['en/validation.jsonl.gz', 'README.md'], { en: { validation: ['en/validation.jsonl.gz'] } }],
    [
      ['main/train/0000.parquet', 'main/train/0001.parquet'],
      { main: { train: ['main/train/0000.parquet', 'main/train/0001.parquet'] } },
    ],
  ])('have splits by their names: %j', (paths, expected) => {
    expect(splitsOf(paths)).toEqual(expected);
  });

  it.each([
    [{ data_files: 'all.jsonl' }, { default: { train: ['all.jsonl'] } }],
    [{ data_files: { test: 'b/**' } }, { default: { test: ['b/c/d.parquet'] } }],
    [{ config_name: 'x', data_dir: 'b/c' }, { x: { d: ['b/c/d.parquet'] } }],
  ])('have splits by the card: %j', (config, expected) => {
    const text = `---\nconfigs: ${JSON.stringify([config])}\n---\n`;
    expect(splitsOf(['all.jsonl', 'b/c/d.parquet'], text)).toEqual(expected);
  });
});
