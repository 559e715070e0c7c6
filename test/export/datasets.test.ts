import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { exportDatasets } from '../../src/export/datasets.ts';
import { finishedIteration } from '../../src/export/finished-iteration.ts';
import { publishExport } from '../../src/export/folder.ts';
import type { DatasetFormat } from '../../src/export/rows.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { courses, writeExportableExperiment } from './exportable-experiment.ts';
import { shortAnswers } from '../../src/algorithm/answer.ts';

const store = openStore(temporaryFolder());
const outside = temporaryFolder();
beforeAll(async () => {
  await writeExportableExperiment(store, 'done', { iterations: 2 });
  await writeExportableExperiment(store, 'star', { labelSource: 'gold' });
});

const answers = shortAnswers((a, b) => a === b);
const exportTo = async (format: DatasetFormat, path: string, experiment = 'done', iteration?: number) =>
  exportDatasets(format, await finishedIteration(store, experiment, iteration), path, answers);
const rowsIn = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const frontMatter = async (path: string) =>
  parse((await readFile(join(path, 'README.md'), 'utf8')).split('---\n')[1] ?? '');

describe("an export in TRL's form", () => {
  it('has the bytes of the datasets that the models learnt from, one file for each agent and role', async () => {
    const path = join(outside, 'trl');
    const files = await exportTo('trl', path);
    expect(files.map(({ file }) => file)).toEqual(
      [1, 2, 3].flatMap((agent) => [`agent-${agent}-generation.jsonl`, `agent-${agent}-critic.jsonl`]),
    );
    for (const { file } of files) {
      const dataset = join(store.experiment('done').where, 'iteration-2', 'datasets', file);
      expect(await readFile(join(path, file), 'utf8')).toBe(await readFile(dataset, 'utf8'));
    }
  });

  it('has a card that names a subset for each file and one of all, what made it and how labels were obtained', async () => {
    const path = join(outside, 'card');
    const files = await exportTo('trl', path);
    const { configs, license } = await frontMatter(path);
    expect(configs).toEqual([
      { config_name: 'all', default: true, data_files: files.map(({ file }) => file) },
      ...files.map(({ file }) => ({ config_name: file.replace('.jsonl', ''), data_files: file })),
    ]);
    expect(license).toBeUndefined();
    const card = await readFile(join(path, 'README.md'), 'utf8');
    for (const words of [
      'Experiment `done`, seed 0, iteration 2',
      'https://arxiv.org/abs/2501.05707',
      'majority vote',
      'at least 2 votes',
      'critic_weight: 0.5',
      '## Licence',
    ])
      expect(card).toContain(words);
  });

  it('is the same, byte for byte, when it is written again', async () => {
    const path = join(outside, 'one');
    const written = async () => {
      await exportTo('trl', path);
      const names = await readdir(path);
      return Promise.all(names.map(async (name) => [name, await readFile(join(path, name), 'utf8')]));
    };
    expect(await written()).toEqual(await written());
  });

  it('leaves out a file without rows and says so, as readers refuse an empty one', async () => {
    await writeExportableExperiment(store, 'sparse');
    await writeRows(experimentFiles(store, 'sparse').dataset(1, 3, 'critic'), []);
    const path = join(outside, 'sparse');
    expect(await exportTo('trl', path, 'sparse')).toContainEqual({ file: 'agent-3-critic.jsonl', rows: 0 });
    expect(await readdir(path)).not.toContain('agent-3-critic.jsonl');
    expect(JSON.stringify(await frontMatter(path))).not.toContain('agent-3-critic');
    expect(await readFile(join(path, 'README.md'), 'utf8')).toContain('not here: agent-3-critic.jsonl');
  });
});

describe("an export in OpenAI's form", () => {
  it('has the same rows as chats, with earlier responses of weight 0', async () => {
    const path = join(outside, 'openai');
    await exportTo('openai', path);
    const [row] = await rowsIn(join(path, 'agent-1-critic.jsonl'));
    expect(row.messages.map(({ weight }: { weight?: number }) => weight)).toEqual([
      undefined,
      0,
      undefined,
      1,
    ]);
    const trl = await rowsIn(
      join(store.experiment('done').where, 'iteration-2', 'datasets', 'agent-1-critic.jsonl'),
    );
    expect(await rowsIn(join(path, 'agent-1-critic.jsonl'))).toHaveLength(trl.length);
  });
});

describe('an export of preferences', () => {
  it('has every corrected dialogue of a labelled question, by agent', async () => {
    const path = join(outside, 'dpo');
    await exportTo('dpo', path);
    for (const agent of [1, 2]) {
      // The sixth question has no label: nobody had two votes.
      const corrected = courses
        .slice(0, 5)
        .flatMap((of, index) => (of[agent - 1] === 'corrected' ? [index] : []));
      const rows = await rowsIn(join(path, `agent-${agent}.jsonl`));
      expect(rows.map(({ prompt }) => prompt)).toEqual(
        corrected.map((index) => [{ role: 'user', content: `2+3*${index + 2}-4` }]),
      );
      for (const [place, index] of corrected.entries()) {
        const gold = 2 + 3 * (index + 2) - 4;
        expect(rows[place].chosen).toEqual([{ role: 'assistant', content: `\\boxed{${gold}}` }]);
        expect(rows[place].rejected).toEqual([{ role: 'assistant', content: `\\boxed{${gold + agent}}` }]);
      }
    }
    expect(await readdir(path)).not.toContain('agent-3.jsonl');
  });

  it('takes the gold answers for labels when the experiment did, and says so', async () => {
    const path = join(outside, 'gold');
    await exportTo('dpo', path, 'star');
    // The sixth question has one: the first agent found it, alone.
    expect(await rowsIn(join(path, 'agent-1.jsonl'))).toHaveLength(3);
    expect(await readFile(join(path, 'README.md'), 'utf8')).toContain(
      'the gold answer of the training question',
    );
  });

  it('is refused when a shard of debates is gone, rather than have fewer rows', async () => {
    await writeExportableExperiment(store, 'gone');
    const shard = experimentFiles(store, 'gone').shard(1, 'train', 1).where;
    await rm(shard);
    await rm(`${shard}.ref.json`);
    await expect(exportTo('dpo', join(outside, 'gone'), 'gone')).rejects.toMatchObject({
      name: 'ArtifactMissing',
    });
    expect(existsSync(join(outside, 'gone'))).toBe(false);
  });
});

describe('the folder of an export', () => {
  it('is not there before it is whole, and not after a failure', async () => {
    const path = join(outside, 'whole', 'below');
    await expect(
      publishExport(path, {}, undefined, async (folder) => {
        await writeFile(join(folder, 'a.jsonl'), '{}');
        expect(existsSync(path)).toBe(false);
        throw new RangeError('half-way');
      }),
    ).rejects.toThrow('half-way');
    expect(await readdir(join(outside, 'whole'))).toEqual([]);
  });

  it('of damaged datasets is not written', async () => {
    await writeExportableExperiment(store, 'damaged');
    const dataset = experimentFiles(store, 'damaged').dataset(1, 2, 'critic').where;
    const text = await readFile(dataset, 'utf8');
    await writeFile(dataset, text.replace('boxed', 'bexod'));
    await expect(exportTo('trl', join(outside, 'damaged'), 'damaged')).rejects.toThrow(
      /agent-2-critic.*is damaged/,
    );
    expect(existsSync(join(outside, 'damaged'))).toBe(false);
  });

  it('is replaced by another export as long as it is as it was written', async () => {
    const path = join(outside, 'replaced');
    await exportTo('trl', path);
    await exportTo('dpo', path);
    expect((await readdir(path)).toSorted()).toEqual([
      'README.md',
      'agent-1.jsonl',
      'agent-2.jsonl',
      'colloquy-export.json',
    ]);
    expect((await readdir(outside)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('stays when the export that was to replace it fails', async () => {
    const path = join(outside, 'stays');
    await exportTo('trl', path);
    await expect(exportTo('dpo', path, 'gone')).rejects.toMatchObject({ name: 'ArtifactMissing' });
    expect(await readdir(path)).toContain('agent-3-critic.jsonl');
  });

  it('may be an empty one', async () => {
    const path = join(outside, 'empty');
    await mkdir(path);
    await exportTo('trl', path);
    expect(await readdir(path)).toContain('README.md');
  });

  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    [
      'a folder of somebody else',
      (path) => mkdir(path).then(() => writeFile(join(path, 'notes.txt'), 'mine')),
      /holds notes\.txt/,
    ],
    ['a file', (path) => writeFile(path, 'mine'), /is no folder/],
    [
      'an export with a file added',
      (path) => exportTo('trl', path).then(() => writeFile(join(path, 'notes.txt'), 'mine')),
      /holds notes\.txt/,
    ],
    [
      'an export with a card that was changed',
      (path) => exportTo('trl', path).then(() => writeFile(join(path, 'README.md'), 'mine')),
      /its README\.md was changed/,
    ],
    [
      'an export whose manifest was spoilt',
      (path) => exportTo('trl', path).then(() => writeFile(join(path, 'colloquy-export.json'), '{')),
      /holds README\.md/,
    ],
  ])('is never made over %s', async (what, prepare, words) => {
    const path = join(outside, what.replaceAll(' ', '-'));
    await prepare(path);
    const before = join(outside, `${what} before`);
    await cp(path, before, { recursive: true });
    await expect(exportTo('dpo', path)).rejects.toThrow(
      expect.objectContaining({ name: 'ExportFolderTaken', message: expect.stringMatching(words), path }),
    );
    const contents = async (of: string) =>
      existsSync(join(of, '.')) && (await readdir(of).catch(() => null)) !== null
        ? Promise.all((await readdir(of)).map((name) => readFile(join(of, name), 'utf8')))
        : readFile(of, 'utf8');
    expect(await contents(path)).toEqual(await contents(before));
  });

  it.each([
    ['where nothing can be made', '/proc/export', /\/proc\/export cannot be written/],
    ['under a name that no disk takes', join(outside, 'x'.repeat(300)), /too long a name/],
  ])('is refused %s, and the path is named', async (_, path, words) => {
    await expect(exportTo('trl', path)).rejects.toThrow(words);
  });

  it('is never made below a file', async () => {
    await writeFile(join(outside, 'a-file'), '');
    await expect(exportTo('trl', join(outside, 'a-file', 'below'))).rejects.toThrow(/lies below a file/);
  });
});
