import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfigFile } from '../../src/config/load.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { resolveConfig } from '../../src/config/resolve.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe('loading a config file', () => {
  it('uses the name of the file as the name of the experiment, unless the file has a name', () => {
    expect(loadConfigFile(file('ablation.yaml', 'seed: 1\n'), [])).toEqual({
      name: 'ablation',
      input: { seed: 1 },
    });
    expect(loadConfigFile(file('x.yaml', 'name: mine\nseed: 1\n'), []).name).toBe('mine');
  });

  it('reads JSON as well', () => {
    expect(loadConfigFile(file('a.json', '{"task": {"train_size": 5}}'), []).input).toEqual({
      task: { train_size: 5 },
    });
  });

  it('finds task files in the config’s folder, and those of overrides in the current folder; other paths are for the worker', () => {
    const rows = file('mine.jsonl', '');
    const path = file(
      'own.yaml',
      'task: {kind: jsonl, train_file: mine.jsonl, test_file: gone.jsonl, decontaminate: [mine.jsonl, {kind: math-500}]}\n',
    );
    expect(loadConfigFile(path, []).input).toEqual({
      task: {
        kind: 'jsonl',
        train_file: rows,
        test_file: 'gone.jsonl',
        decontaminate: [rows, { kind: 'math-500' }],
      },
    });
    const { input } = loadConfigFile(path, ['task.test_file=package.json']);
    expect(input['task']).toMatchObject({ test_file: join(process.cwd(), 'package.json') });
  });

  it('replaces settings of the file by overrides, and earlier overrides by later ones, with YAML values', () => {
    const path = file('o.yaml', 'seed: 1\ntask: {train_size: 5, test_size: 6}\n');
    const overrides = [
      'seed=2',
      'task.train_size=7',
      'seed=3',
      'fine_tune.learning_rate=1e-4',
      'task.ranges={a: [1, 2]}',
    ];
    expect(loadConfigFile(path, overrides).input).toEqual({
      seed: 3,
      task: { train_size: 7, test_size: 6, ranges: { a: [1, 2] } },
      fine_tune: { learning_rate: 0.0001 },
    });
  });

  it.each([
    [['task.kind=jsonl', 'task.train_file=q.jsonl']],
    [['task.train_file=q.jsonl', 'task.kind=jsonl']],
  ])('changes the kind of the task by %j, in either order', (overrides) => {
    const { input } = loadConfigFile(join(projectRoot, 'configs/quickstart.yaml'), overrides);
    expect(resolveConfig(input).task).toEqual({ kind: 'jsonl', train_file: 'q.jsonl' });
  });

  it('leaves out the variants of a study whose methods are named', () => {
    const path = join(projectRoot, 'configs/studies/laptop.yaml');
    const input = (overrides: string[]) => loadConfigFile(path, overrides, 'study').input;
    expect(input(['methods=[debate]'])).not.toHaveProperty('variants');
    expect(input(['seeds=[1]'])).toHaveProperty('variants.dpo');
  });

  it('keeps an unknown key of an override, which is refused when the config is resolved', () => {
    const { input } = loadConfigFile(file('u.yaml', 'seed: 1'), ['task.trainsize=3']);
    expect(() => resolveConfig(input)).toThrow(
      'task.trainsize: unknown key; the nearest valid one is train_size',
    );
  });

  it.each(['seed', '=3', 'a..b=3', '.seed=1', ''])('refuses the override %j', (override) => {
    expect(() => loadConfigFile(file('r.yaml', 'seed: 1'), [override])).toThrow('expected key=value');
  });

  it('refuses an override whose value is not YAML', () => {
    expect(() => loadConfigFile(file('r.yaml', 'seed: 1'), ['seed=[1'])).toThrow(
      /override "seed=\[1".*\n.*line 1/,
    );
  });

  it.each(['task: &a {x: *a}', 'task: &a [*a]', 'a: &a {b: &b {c: [*a]}}'])(
    'refuses a value that contains itself: %s',
    (text) => {
      expect(() => loadConfigFile(file('circle.yaml', text), [])).toThrow('a value contains itself');
    },
  );

  it('refuses a file that is too large for Temporal, with its size', () => {
    const text = `seed: 1\n# ${'x'.repeat(4_000_000)}`;
    expect(() => loadConfigFile(file('large.yaml', text), [])).toThrow(
      'is 4.0 MB: a config may have at most 1 MB. Put questions into a file of their own',
    );
  });

  it('reports the line and column of invalid YAML', () => {
    expect(() => loadConfigFile(file('bad.yaml', 'seed: 1\ntask: {kind: "jsonl\n'), [])).toThrow(
      /bad\.yaml.*\n.*line \d+, column \d+/,
    );
    expect(() => loadConfigFile(file('twice.yaml', 'seed: 1\nseed: 2\n'), [])).toThrow('line 2, column 1');
    expect(() => loadConfigFile(file('tab.json', '{"seed": 1,, }'), [])).toThrow(/line 1, column \d+/);
  });

  it.each([
    ['empty.yaml', '', 'the file is empty'],
    ['comment.yaml', '# nothing\n', 'the file is empty'],
    ['list.yaml', '- 1\n', 'found [1]'],
    ['text.yaml', 'hello\n', 'found "hello"'],
    ['bytes.yaml', new Uint8Array([0xff, 0xfe, 0x00]), 'not text in UTF-8'],
    [
      'bomb.yaml',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((k, i) => `${k}: &${k} [${Array(10).fill(`*${'abcdefg'[i]}`).join(',')}]`)
        .join('\n')}\n`,
      'alias',
    ],
  ])('refuses %s', (name, content, message) => {
    expect(() => loadConfigFile(file(name, content), [])).toThrow(message);
  });

  it('refuses a missing file and a folder', () => {
    expect(() => loadConfigFile(join(folder, 'none.yaml'), [])).toThrow('cannot be read: ENOENT');
    expect(() => loadConfigFile(folder, [])).toThrow('cannot be read: EISDIR');
  });

  it('refuses a file whose name is not valid for an experiment, and explains how to set another', () => {
    const path = file('my experiment.yaml', 'seed: 1');
    expect(() => loadConfigFile(path, [])).toThrow('Give another with name=');
    expect(loadConfigFile(path, ['name=mine']).name).toBe('mine');
  });
});
