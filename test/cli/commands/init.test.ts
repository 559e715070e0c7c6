import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tools } from '../../../src/config/installation.ts';
import { baseName, startVllm } from '../../engines/fixtures/vllm-server.ts';
import { colloquy } from '../colloquy.ts';

let folder: string;
let config: string;
let endpoints: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-init-'));
  config = join(folder, 'my.yaml');
  endpoints = join(folder, 'endpoints.yaml');
  await writeFile(endpoints, '# mine\nold: { kind: openai, url: "http://127.0.0.1:9/v1" }');
  await writeRows('many.jsonl', 120);
  await writeRows('few.jsonl', 30);
  await mkdir(join(folder, 'data'));
  await writeRows('data/train.jsonl', 700);
  await writeRows('data/test.jsonl', 600, 1_000);
  vi.stubEnv('COLLOQUY_STORE', join(folder, 'runs'));
  vi.stubEnv('COLLOQUY_ENDPOINTS', endpoints);
  vi.stubEnv('NO_COLOR', '1');
  // A vllm that says its version: nothing more of it is asked before an experiment runs.
  await writeFile(join(folder, 'vllm'), '#!/bin/sh\necho 0.32.0\n');
  await chmod(join(folder, 'vllm'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function writeRows(file: string, rows: number, from = 0): Promise<void> {
  const lines = Array.from({ length: rows }, (_, index) => ({
    question: `What is ${index + from} plus 1?`,
    answer: String(index + from + 1),
  }));
  await writeFile(join(folder, file), lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
}

type Answer = { task: string; model: string; endpoint: string; budget: string; more?: string[] };
const init = ({ task, model, endpoint, budget, more = [] }: Answer) =>
  colloquy(
    'init',
    config,
    '--task',
    task,
    '--model',
    model,
    '--endpoint',
    endpoint,
    '--budget',
    budget,
    ...more,
  );

describe('colloquy init', () => {
  it('writes a config that is valid, whatever is answered', async () => {
    await using server = await startVllm();
    const own = (file: string) => `own:${join(folder, file)}`;
    const copy = `task.dataset_path=${join(folder, 'data')}`;
    const tasks = [
      { task: 'arithmetic', more: [] },
      { task: own('many.jsonl'), more: [] },
      { task: own('few.jsonl'), more: ['agents=2'] },
      { task: 'hub:someone/something', more: [copy] },
    ];
    const places = ['embedded', 'vllm', `vllm:${server.url}`, `openai:${server.url}`];
    const answers = tasks.flatMap((task) =>
      (task.task === 'arithmetic' ? ['tiny', baseName] : [baseName]).flatMap((model) =>
        places
          .filter((endpoint) => model !== 'tiny' || !endpoint.includes(':'))
          .map((endpoint) => ({ ...task, model, endpoint })),
      ),
    );
    // A budget changes nothing of the other settings, so each of them has another one.
    const budgets = ['none', '2M', '8h', '500k,30min'];
    expect(answers.length).toBe(18);
    for (const [index, each] of answers.entries()) {
      const answer = { ...each, budget: budgets[index % budgets.length]! };
      await rm(config, { force: true });
      const written = await init(answer);
      expect(written, JSON.stringify(answer)).toMatchObject({
        code: 0,
        out: expect.stringContaining('Wrote'),
      });
      expect(written.out).not.toContain('not be checked');
      const checked = await colloquy('validate', config);
      expect(checked, JSON.stringify(answer)).toMatchObject({ code: 0, err: '' });
    }
    // The same answer adds nothing twice, and what was there stays.
    expect(await readFile(endpoints, 'utf8')).toBe(
      '# mine\nold: { kind: openai, url: "http://127.0.0.1:9/v1" }\n' +
        'own-vllm: { kind: "vllm" }\n' +
        `server: { kind: "vllm", url: "${server.url}" }\n` +
        `server-2: { kind: "openai", url: "${server.url}" }\n`,
    );
  });

  it('says what each setting means, and the next two commands', async () => {
    const { out } = await init({
      task: `own:${join(folder, 'many.jsonl')}`,
      model: 'a/b',
      endpoint: 'embedded',
      budget: '2M',
    });
    expect(out).toMatch(/colloquy dev\n.*colloquy run .*my\.yaml$/);
    const text = await readFile(config, 'utf8');
    expect(text).toMatch(
      /^ {2}train_file: many\.jsonl +# 96 questions to learn from and 24 that measure were found/m,
    );
    expect(text).toMatch(/^ {2}tokens: 2000000 +# /m);
    const settings = text.split('\n').filter((line) => /: \S/.test(line) && !line.startsWith('#'));
    expect(settings.filter((line) => !line.includes('  # '))).toEqual([]);
  });

  it('takes the tiny model for questions of a file that are all sums, as in examples/own-questions', async () => {
    const sums = Array.from({ length: 40 }, (_, index) => ({
      question: `${index}+2*3-1`,
      answer: String(index + 5),
    }));
    await writeFile(join(folder, 'sums.jsonl'), sums.map((each) => `${JSON.stringify(each)}\n`).join(''));
    const task = `own:${join(folder, 'sums.jsonl')}`;
    expect(await init({ task, model: 'tiny', endpoint: 'embedded', budget: 'none' })).toMatchObject({
      code: 0,
    });
    expect(await readFile(config, 'utf8')).toMatch(/^preset: quickstart[^]*^ {2}train_file: sums\.jsonl/m);
  });

  it('says what could not be checked, and writes the config all the same', async () => {
    const { code, out } = await init({ task: 'arithmetic', model: 'some', endpoint: 'old', budget: 'none' });
    expect(code).toBe(0);
    expect(out).toMatch(/could not be checked now.*127\.0\.0\.1:9/s);
    expect(await readFile(config, 'utf8')).toContain('iterations: 0');
  });

  it.each([
    ['a task that is none', { task: 'gsm9k' }, '"gsm9k" is none of the answers'],
    ['a file that is not there', { task: 'own:nowhere.jsonl' }, 'nowhere.jsonl'],
    ['the tiny model for other questions', { task: 'own:FOLDER/many.jsonl' }, 'reads only sums'],
    ['a place that is none', { endpoint: 'openai' }, '"openai" is none of the answers'],
    ['an address that is none', { endpoint: 'openai:somewhere' }, 'expected http(s)://'],
    ['a budget that is none', { budget: 'lots' }, '"lots" is no budget'],
    ['a setting that is none', { more: ['iteration=2'] }, 'the nearest valid one is iterations'],
  ])('refuses %s, and writes nothing', async (_, wrong, words) => {
    const right = { task: 'arithmetic', model: 'tiny', endpoint: 'embedded', budget: 'none' };
    const given: Answer = { ...right, ...wrong };
    const { code, err } = await init({ ...given, task: given.task.replace('FOLDER', folder) });
    expect(err).toContain(words);
    expect(code).toBe(2);
    expect(await readdir(folder)).not.toContain('my.yaml');
  });

  it('replaces no file without being asked to', async () => {
    await writeFile(config, 'mine');
    const answer = { task: 'arithmetic', model: 'tiny', endpoint: 'embedded', budget: 'none' };
    expect(await init(answer)).toMatchObject({
      code: 2,
      err: expect.stringContaining('--force replaces it'),
    });
    expect(await readFile(config, 'utf8')).toBe('mine');
    expect((await init({ ...answer, more: ['--force'] })).code).toBe(0);
  });

  it('takes a name with any characters, and writes no file over a folder or below a file', async () => {
    const name = 'odd\nname # of "rows": \'x.jsonl';
    await writeRows(name, 120);
    const task = `own:${join(folder, name)}`;
    const rows = { task, model: 'a/b', endpoint: 'embedded', budget: 'none', more: ['agents=2'] };
    expect(await init(rows)).toMatchObject({ code: 0 });
    expect(await colloquy('validate', config)).toMatchObject({ code: 0 });
    const plain = ['--task', 'arithmetic', '--model', 'tiny', '--endpoint', 'embedded', '--budget', 'none'];
    const data = join(folder, 'data');
    expect(await colloquy('init', data, ...plain, '--force')).toMatchObject({
      code: 2,
      err: expect.stringContaining('is a folder: name a file in it'),
    });
    const below = await colloquy('init', join(config, 'x.yaml'), ...plain);
    expect(below.code).not.toBe(0);
    expect(below.err).toContain('my.yaml');
    expect(below.err).not.toMatch(/^ +at /m);
  });

  it('says what to write where the endpoints cannot be written, and has written the config', async () => {
    // Its temporary name would be longer than a name may be.
    const file = join(folder, `${'e'.repeat(240)}.yaml`);
    await writeFile(file, '# mine\n');
    vi.stubEnv('COLLOQUY_ENDPOINTS', file);
    const { code, out } = await init({ task: 'arithmetic', model: 'some', endpoint: 'vllm', budget: 'none' });
    expect(code).toBe(0);
    expect(out).toMatch(/could not be added to.*own-vllm: { kind: "vllm" }/s);
    expect(await readFile(file, 'utf8')).toBe('# mine\n');
    expect(await readFile(config, 'utf8')).toContain('endpoint: own-vllm');
  });

  it('adds the endpoint to the file that a symbolic link names, and the link stays', async () => {
    const link = join(folder, 'link.yaml');
    await symlink(endpoints, link);
    vi.stubEnv('COLLOQUY_ENDPOINTS', link);
    const { code } = await init({ task: 'arithmetic', model: 'some', endpoint: 'vllm', budget: 'none' });
    expect(code).toBe(0);
    expect(await readlink(link)).toBe(endpoints);
    expect(await readFile(endpoints, 'utf8')).toContain('own-vllm');
  });

  it('names the options where nobody can be asked', async () => {
    const { code, err } = await colloquy('init', config, '--task', 'arithmetic');
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('Answer by options: --model, --endpoint, --budget'),
    });
  });

  it('asks a person at a terminal, and asks again what cannot be used', () => {
    const { status, stdout } = converse([
      ['Which questions', `own:nowhere.jsonl\r`],
      ['cannot be used', `${join(folder, 'many.jsonl')}\r`],
      ['96 questions to learn from', ''],
      ['[Qwen/Qwen3-4B-Instruct-2507]', 'tiny\r'],
      ['reads only sums', 'a/b\r'],
      ['Where does it answer?', 'nowhere\r'],
      ['none of the answers', 'embedded\r'],
      ['How much may it use', '1k\r'],
      ['Next', ''],
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('the experiment will probably wait');
  });

  it('leaves nothing behind after Ctrl-C', async () => {
    const before = await readdir(folder);
    const { status } = converse([
      ['Which questions', '\r'],
      ['Which model', '\u0003'],
      ['Nothing was written', ''],
    ]);
    expect(status).toBe(130);
    expect(await readdir(folder)).toEqual(before);
  });
});

/** Talks to the real program in a terminal: after each text that it shows, types an answer. */
function converse(says: readonly (readonly [string, string])[]) {
  const [script, program] = ['converse.py', '../../../bin/colloquy.mjs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return spawnSync(
    tools().python,
    [script!, JSON.stringify(says), process.execPath, program!, 'init', config],
    {
      encoding: 'utf8',
      timeout: 110_000,
    },
  );
}
