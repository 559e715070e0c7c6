import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../../src/store/store.ts';
import { writeExportableExperiment, writeModel } from '../../export/exportable-experiment.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { colloquy } from '../colloquy.ts';

const root = temporaryFolder();
const outside = temporaryFolder();
const store = openStore(root);
const key = 'a'.repeat(64);
beforeAll(async () => {
  writeModel(store, key, 'weights');
  await writeExportableExperiment(store, 'done', {
    iterations: 2,
    modelOf: (_, agent) => (agent === 1 ? key : null),
  });
  await writeExportableExperiment(store, 'running', { finished: false });
});
beforeEach(() => {
  vi.stubEnv('COLLOQUY_STORE', root);
  vi.stubEnv('NO_COLOR', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('colloquy export', () => {
  it("writes the last iteration's datasets below the experiment's folder, and says how many rows", async () => {
    const { code, out } = await colloquy('export', 'done');
    expect(code).toBe(0);
    // Of the five labelled questions of exportable-experiment.ts, agent 1 began two right.
    expect(out).toContain('agent-1-generation.jsonl: 2 rows');
    expect(out).toContain(join(root, 'done', 'export', 'iteration-2-trl'));
    expect(await readdir(join(root, 'done', 'export', 'iteration-2-trl'))).toContain('README.md');
  });

  it('writes another iteration in another form to another folder, reported as JSON', async () => {
    const folder = join(outside, 'preferences');
    const options = ['--iteration', '1', '--format', 'dpo', '--output', folder, '--json'];
    const { code, out } = await colloquy('export', 'done', ...options);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      experiment: 'done',
      iteration: 1,
      format: 'dpo',
      folder,
      files: [
        { file: 'agent-1.jsonl', rows: 2 },
        { file: 'agent-2.jsonl', rows: 2 },
        { file: 'agent-3.jsonl', rows: 0 },
      ],
    });
  });

  it('writes the models, and names those that are still the base model', async () => {
    const { code, out } = await colloquy('export', 'done', '--models');
    expect(code).toBe(0);
    expect(out).toContain('agent-1-critic\nagent-2-generation: still the base model');
    expect(
      existsSync(join(root, 'done', 'export', 'iteration-2-models', 'agent-1-critic', 'README.md')),
    ).toBe(true);
  });

  it('can be given again: the same export takes the place of the one before', async () => {
    expect((await colloquy('export', 'done')).code).toBe(0);
    expect((await colloquy('export', 'done')).code).toBe(0);
  });

  it.each([
    ['an unknown format, with the nearest', 2, ['done', '--format', 'openia'], 'Did you mean openai?'],
    ['a format of models', 2, ['done', '--models', '--format', 'trl'], 'cannot be combined with --models'],
    [
      'an iteration that is no number',
      2,
      ['done', '--iteration', 'last'],
      "argument 'last' is invalid. Expected a number",
    ],
    ['models merged and not merged', 2, ['done', '--models', '--merge'], 'give only one of them'],
    ['an agent without --merge', 2, ['done', '--agent', '2'], 'choose the model for --merge'],
    ['neither a name nor a series', 2, [], 'Name an experiment, or a series'],
    ['both a name and a series', 2, ['done', '--series', 'nightly'], 'Name an experiment, or a series'],
    ['a series without nights', 1, ['--series', 'nightly'], 'nightly has no finished night in this store'],
    [
      'a merged model of an agent that learnt nothing',
      1,
      ['done', '--merge', '--agent', '2'],
      'is still the base model',
    ],
    [
      'a merged model of no agent',
      1,
      ['done', '--merge', '--agent', '9'],
      'it has no generation model of agent 9',
    ],
    ['a name that is a path', 2, ['../done'], 'cannot name an experiment'],
    ['an experiment that is not there', 1, ['never'], 'never: the experiment has another name'],
    ['an iteration that is not there', 1, ['done', '--iteration', '3'], 'Finished: 1, 2'],
    ['an experiment that goes on', 1, ['running'], '--iteration 1 takes the newest'],
  ])('refuses %s', async (_, code, argv, words) => {
    const refused = await colloquy('export', ...argv);
    expect(refused).toMatchObject({ code, out: '', err: expect.stringContaining(words) });
    expect(refused.err).not.toMatch(/^ {4}at /m);
  });

  it.each([
    ['somebody else', () => outside],
    ['the experiment itself', () => join(root, 'done')],
  ])('never writes over a folder of %s', async (_, folder) => {
    await mkdir(folder(), { recursive: true });
    await writeFile(join(folder(), 'notes.txt'), 'mine');
    const before = await readdir(folder());
    const { code, err } = await colloquy('export', 'done', '--output', folder());
    expect(code).toBe(1);
    expect(err).toContain(`${folder()} holds`);
    expect(await readdir(folder())).toEqual(before);
  });
});
