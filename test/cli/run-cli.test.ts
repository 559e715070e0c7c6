import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { programFor } from '../../src/cli/run-cli.ts';
import { projectRoot, tools } from '../../src/config/installation.ts';
import { freePort } from '../../src/engines/process/process-group.ts';
import { writeFinishedExperiment } from '../report/finished-experiment.ts';
import { colloquy } from './colloquy.ts';

let store: string;
beforeAll(async () => {
  store = await mkdtemp(join(tmpdir(), 'colloquy-cli-'));
  await writeFinishedExperiment(join(store, 'done'), { name: 'done', questions: 96, iterations: 1 });
});
afterAll(() => rm(store, { recursive: true, force: true }));

beforeEach(() => {
  vi.stubEnv('COLLOQUY_STORE', store);
  vi.stubEnv('NO_COLOR', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const hasBitsandbytes = spawnSync(tools().python, ['-c', 'import bitsandbytes']).status === 0;

const program = await programFor();
const group = program.commands.find((command) => command.name() === 'schedule')!;
/** Every command, as its words on the command line. */
const commands = [
  ...program.commands.map((command) => [command.name()]),
  ...group.commands.map((command) => ['schedule', command.name()]),
];

describe('help', () => {
  it('lists every command, the exit codes and the environment', async () => {
    const { code, out } = await colloquy('--help');
    expect(code).toBe(0);
    for (const command of program.commands)
      expect(out).toContain(`${command.name().padEnd(14)}  ${command.description()}`);
    expect(out).toContain('4  Temporal is not reachable');
    expect(out).toContain('COLLOQUY_STORE');
  });

  it.each(commands.map((words) => words.join(' ')))(
    'of %s has examples first, and no colours in a pipe',
    async (words) => {
      const { code, out } = await colloquy(...words.split(' '), '--help');
      expect(code).toBe(0);
      expect(out).toMatch(/^colloquy .*: .*\n\nExamples:\n {2}\S/);
      expect(out).toContain(`\n\nUsage: colloquy ${words}`);
      expect(out).not.toContain('\u001b');
    },
  );
});

describe('a command line', () => {
  it('loads only what its own command needs: the help, and with it every command, no package but these', async () => {
    const { metafile } = await build({
      entryPoints: ['src/cli/main.ts'],
      absWorkingDir: projectRoot,
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      outdir: 'never-written',
      write: false,
      metafile: true,
    });
    const loaded = new Set(['src/cli/main.ts']);
    for (const file of loaded)
      for (const { path, kind } of metafile.inputs[file]?.imports ?? [])
        if (kind === 'import-statement') loaded.add(path);
    expect([...loaded].filter((path) => !/^(?:node:|src\/|scripts\/)/.test(path)).toSorted()).toEqual([
      '@commander-js/extra-typings',
      'cli-table3',
      'picocolors',
    ]);
  });

  it('may have the name of a command in another place', async () => {
    const { code, err } = await colloquy('show', 'run');
    expect(code).toBe(1);
    expect(err).toContain('There is no experiment "run"');
  });
});

describe('every command', () => {
  const all = [...program.commands, ...group.commands];

  it('has a place in the help, among commands for the same purpose', () => {
    expect(program.commands.filter((each) => each.helpGroup() === '').map((each) => each.name())).toEqual([]);
  });

  it('says what an option with a value is without it', () => {
    const silent = all.flatMap((each) =>
      each.options
        .filter(({ required, defaultValue, description, mandatory }) => {
          // One that has to be given has no default.
          if (mandatory) return false;
          const said = /\(default: |\(this or |\(instead of /.test(description);
          return required && defaultValue === undefined && !said;
        })
        .map(({ long }) => `${each.name()} ${long}`),
    );
    expect(silent).toEqual([]);
  });

  it('begins each text with a small letter and ends it without a full stop', () => {
    const texts = all.flatMap((each) => [
      each.description(),
      ...each.options.map(({ description }) => description),
    ]);
    expect(texts.filter((text) => !/^[a-z].*[^.]$/.test(text.replace(/^JSON /, 'as ')))).toEqual([]);
  });
});

describe('the option -v', () => {
  it('prints the version, and is no option of a command that would then do nothing', async () => {
    expect((await colloquy('-v')).code).toBe(0);
    const { code, err } = await colloquy('validate', 'configs/quickstart.yaml', '-v');
    expect(code).toBe(2);
    expect(err).toContain("unknown option '-v'");
  });
});

describe('help of a group', () => {
  it('gives the help of a command in it', async () => {
    const { code, out } = await colloquy('help', 'schedule', 'create');
    expect(code).toBe(0);
    expect(out).toMatch(/^colloquy schedule create: /);
  });

  it('lists its commands alone', async () => {
    const { code, out } = await colloquy('schedule', '--help');
    expect(code).toBe(0);
    for (const command of group.commands)
      expect(out).toContain(`${command.name().padEnd(10)}  ${command.description()}`);
    expect(out).not.toContain('presets');
  });
});

describe('a wrong command line is refused with exit code 2', () => {
  it.each([
    ['an unknown command, with the nearest', ['stauts'], 'Did you mean status?'],
    ['an unknown option, with the nearest', ['status', '--jsn'], 'Did you mean --json?'],
    ['a missing argument', ['run'], "missing required argument 'config'"],
    ['an argument too many', ['pause', 'a', 'b'], 'Expected 1 argument but got 2'],
    ['an option without its value', ['abort', 'a', '--reason'], 'argument missing'],
    ['a name that is a path', ['show', '../../etc'], 'cannot name an experiment'],
    ['iterations that are no number', ['set-iterations', 'a', 'many'], 'Expected a number'],
    ['a queue that is not there', ['worker', '--queues', 'gpus'], 'There is no queue "gpus"'],
    [
      'two times for a schedule',
      ['schedule', 'create', 'n', 'configs/quickstart.yaml', '--at', '02:00', '--cron', '0 2 * * *'],
      'not by both',
    ],
    ['a port that is none', ['dev', '--port', '99999'], 'A port is a number'],
    ['a config that is not there', ['run', 'nowhere.yaml'], 'nowhere.yaml'],
    ['an override that is none', ['validate', 'configs/quickstart.yaml', 'iterations'], 'key=value'],
  ])('%s', async (_, argv, words) => {
    const { code, err } = await colloquy(...argv);
    expect(err).toContain(words);
    expect(err).not.toMatch(/^ {4}at /m);
    expect(code).toBe(2);
  });
});

describe('a config', () => {
  it('is printed with every setting filled in', async () => {
    const { code, out } = await colloquy('validate', 'configs/quickstart.yaml', 'iterations=7', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      name: 'quickstart',
      config: { iterations: 7, label_source: 'consensus' },
    });
  });

  it('of a study is printed as that of each of its experiments', async () => {
    const { code, out } = await colloquy('validate', '--study', 'laptop', 'methods=[base,debate]', '--json');
    expect(code).toBe(0);
    const { experiments } = JSON.parse(out) as { experiments: { name: string; config: object }[] };
    expect(experiments.map(({ name }) => name)).toEqual([
      'laptop-arithmetic-base-s0',
      'laptop-arithmetic-debate-s0',
    ]);
    expect(experiments[1]!.config).toMatchObject({ method: 'debate', equal_tokens: true });
  });

  it('of a study that does not exist is refused with the nearest that does', async () => {
    const { code, err } = await colloquy('study', 'labtop');
    expect(code).toBe(2);
    expect(err).toContain('the nearest is laptop');
  });

  it('is refused with all of its faults, before anything asks for Temporal', async () => {
    const { code, err } = await colloquy('run', 'configs/quickstart.yaml', 'agents=0', 'iteration=2');
    expect(code).toBe(2);
    expect(err).toContain('agents');
    expect(err).toContain('iterations');
  });

  it('can be a preset, which is listed with its description', async () => {
    const { out } = await colloquy('presets', '--json');
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ name: 'quickstart', description: expect.stringMatching(/\w+/) }),
    );
  });
});

describe('without Temporal', () => {
  it.each([
    ['run', ['run', 'configs/quickstart.yaml']],
    ['worker', ['worker']],
  ])('%s ends with exit code 4 and names the command that helps', async (_, argv) => {
    vi.stubEnv('TEMPORAL_ADDRESS', `127.0.0.1:${await freePort()}`);
    const { code, err } = await colloquy(...argv);
    expect(code).toBe(4);
    expect(err).toContain('npx colloquy dev');
  });

  it('settings that cannot be used are said to be so, with exit code 2', async () => {
    vi.stubEnv('TEMPORAL_PROFILE', 'not-there');
    const { code, err } = await colloquy('status');
    expect(code).toBe(2);
    expect(err).toContain("Profile 'not-there' not found");
  });
});

describe('a finished experiment', () => {
  it('has its debates shown: one on which the agents differed, or the one asked for', async () => {
    const any = await colloquy('show', 'done');
    expect(any.code).toBe(0);
    expect(any.out).toMatch(/^heldout-\d{5} iteration 1\n/);
    const base = await colloquy('show', 'done', 'heldout-00003', '--iteration', '0');
    expect(base.out).toMatch(/^heldout-00003 iteration 0\n/);
  });

  it('has no debate of a question that is not there', async () => {
    const { code, err } = await colloquy('show', 'done', 'train-99999');
    expect(code).toBe(1);
    expect(err).toContain('train-99999');
  });

  it('has its report written again', async () => {
    const { code, out } = await colloquy('report', 'done');
    expect(code).toBe(0);
    expect(out).toContain('report.html');
  });

  it('cannot be reported on when it never ran', async () => {
    expect(await colloquy('report', 'never')).toMatchObject({
      code: 1,
      err: expect.stringContaining('result.json'),
    });
  });

  it('with a damaged file is said to be so, without a stack', async () => {
    const damaged = join(store, 'damaged');
    await writeFinishedExperiment(damaged, { questions: 32, iterations: 0 });
    await writeFile(join(damaged, 'result.json'), '{"formatVersion": 1}');
    const { code, err } = await colloquy('report', 'damaged');
    expect(code).toBe(1);
    expect(err).toMatch(/result\.json is damaged/);
    expect(err).not.toMatch(/^ {4}at /m);
  });
});

describe('the config of a command', () => {
  it('may be the name of one that comes with Colloquy, with settings behind it', async () => {
    const { code, out, err } = await colloquy('validate', 'quickstart', 'seed=3', 'lr=1e-4');
    expect({ code, err }).toEqual({ code: 0, err: 'lr is taken as fine_tune.learning_rate, its name here.' });
    expect(out).toMatch(/^# experiment: quickstart\n[^]*seed: 3\n[^]*learning_rate: 0.0001\n/);
  });

  it.each([
    [['validate', 'seed=1'], '"seed=1" is a setting, and the config has to come first'],
    [['run', 'laptop'], '"laptop" is a study: colloquy study laptop'],
    [['study', 'quickstart'], '"quickstart" is an experiment: colloquy run quickstart'],
    [['validate', 'quikstart'], 'the nearest is quickstart'],
    [['validate', 'nosuch.yaml'], 'no such file'],
    [['show', 'nosuch'], 'There is no experiment "nosuch" in the store'],
  ])('is looked for in one way: %s', async (argv, message) => {
    const { code, err } = await colloquy(...argv);
    expect(code).not.toBe(0);
    expect(err).toContain(message);
  });
});

describe('colloquy validate', () => {
  it('loads the questions and says what it will take, as comments of the config', async () => {
    const { code, out } = await colloquy('validate', 'quickstart');
    expect(code).toBe(0);
    expect(out).toContain('# questions: 300 to train on, 500 held out\n');
    expect(out).toContain('# endpoint: local (local): engine/models/tiny-arithmetic is there\n');
    expect(out).toMatch(
      /\n# about 17,400 answers: [\d,]+ tokens read, 501,120 written; \d+ optimiser steps\n/,
    );
  });

  it.each([
    ['vllm', 3, /there is no folder .*accounts\/one\/models\/large, .* the trainer loads the base model/],
    ['vllm', 0, /\nNo answer/],
    ['openai', 0, /\nNo answer/],
  ])(
    'asks a server of kind %s for its own name of a model, with %i iterations',
    async (kind, iterations, message) => {
      const file = join(store, 'endpoints.yaml');
      await writeFile(file, JSON.stringify({ far: { kind, url: 'http://127.0.0.1:1' } }));
      vi.stubEnv('COLLOQUY_ENDPOINTS', file);
      const settings = ['model.endpoint=far', 'model=accounts/one/models/large', `iterations=${iterations}`];
      const { err } = await colloquy('validate', 'quickstart', ...settings);
      expect(err).toMatch(message);
    },
  );

  it.skipIf(hasBitsandbytes)(
    'refuses qlora where bitsandbytes is missing, and says how to install it',
    async () => {
      const { code, err } = await colloquy('validate', 'quickstart', 'fine_tune.method=qlora');
      expect(code).toBe(2);
      expect(err).toContain(
        'fine_tune.method: qlora needs the Python package bitsandbytes. Install it with: npx colloquy setup --qlora',
      );
    },
  );

  it.each([
    [['model.endpoint=nosuch'], 'model.endpoint: nothing is called "nosuch"'],
    [['trainer=nosuch'], 'trainer: nothing is called "nosuch"'],
    [['model=/nowhere/x'], 'model.model_name_or_path: there is no folder /nowhere/x'],
    [['model=src'], 'holds no model: it has no config.json'],
    [['task.kind=jsonl', 'task.train_file=nosuch.jsonl'], 'nosuch.jsonl cannot be used'],
    [['task.train_size=4'], 'fine_tune: a generation model would have'],
  ])('refuses %s, as a worker would', async (overrides, message) => {
    const { code, err } = await colloquy('validate', 'quickstart', ...overrides);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
