import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guardOf } from '../../src/config/limits.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { normalisedText } from '../../src/questions/task.ts';
import { loadNight, loadTask } from './load-task.ts';
import { type sampleFiles, writeDataset } from './samples.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-validation-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const config = (task: object, seed = 0) => resolveConfig({ preset: 'paper', seed, task });
const load = (task: object, seed = 0) => loadTask(config(task, seed));
const textsOf = (...sets: (readonly { text: string }[])[]) =>
  sets.flat().map(({ text }) => normalisedText(text));

function file(name: string, from: number, to: number): string {
  const lines = Array.from({ length: to - from }, (_, n) =>
    JSON.stringify({ question: `What is ${from + n}?`, answer: String(from + n) }),
  );
  writeFileSync(join(folder, name), lines.join('\n'));
  return join(folder, name);
}
const jsonl = (task: object) => ({ kind: 'jsonl', ...task });
const arithmetic = { kind: 'arithmetic', form: 'a+b', range: [0, 12], train_size: 60, test_size: 40 };

/** A task of each kind with room for 20 validation questions. */
const tasks: Readonly<Record<string, () => object>> = {
  arithmetic: () => arithmetic,
  ...Object.fromEntries(
    (['gsm8k', 'mmlu'] as (keyof typeof sampleFiles)[]).map((kind) => [
      kind,
      () => ({
        kind,
        dataset_path: writeDataset(join(folder, kind), kind, { train: 60, test: 60 }),
        train_size: 30,
        test_size: 20,
      }),
    ]),
  ),
  'jsonl with a test_file': () =>
    jsonl({ train_file: file('a.jsonl', 0, 50), test_file: file('b.jsonl', 50, 100), test_size: 20 }),
  'jsonl of one file': () => jsonl({ train_file: file('c.jsonl', 0, 90), train_size: 40, test_size: 20 }),
  'jsonl with a validation_file': () =>
    jsonl({
      train_file: file('d.jsonl', 0, 50),
      test_file: file('e.jsonl', 50, 100),
      validation_file: file('f.jsonl', 40, 130),
      test_size: 20,
      validation_size: 0,
    }),
};

describe('the validation questions of a task', () => {
  it.each(Object.keys(tasks))(
    '%s: are apart from all others, which are the same as without them',
    async (kind) => {
      const task = tasks[kind]!();
      const without = await load(task, 2);
      const { validation, ...others } = await load({ ...task, validation_size: 20 }, 2);
      expect(without.validation).toEqual([]);
      const { leftOut, validation: _, ...before } = without;
      expect(others).toMatchObject(before);
      expect(others.leftOut.slice(0, leftOut.length)).toEqual(leftOut);
      expect(validation).toHaveLength(20);
      expect(validation[3]).toEqual({
        id: 'validation-00003',
        text: expect.any(String),
        answer: expect.any(String),
      });
      const used = textsOf(others.train, others.heldOut);
      expect(new Set([...used, ...textsOf(validation)]).size).toBe(used.length + 20);
      expect((await load({ ...task, validation_size: 20 }, 2)).validation).toEqual(validation);
      expect((await load({ ...task, validation_size: 20 }, 3)).validation).not.toEqual(validation);
    },
  );

  it.each(Object.keys(tasks))('%s: says how many there are when that is too few', async (kind) => {
    const loading = load({ ...tasks[kind]!(), validation_size: 90 });
    await expect(loading).rejects.toThrow(/task(\.validation_size)?: .*90 validation/);
    await expect(loading).rejects.toThrow(/has only \d+/);
  });

  it('are all of a validation_file but for those that are held out or trained on, which are noted', async () => {
    const { validation_size: _, ...task } = tasks['jsonl with a validation_file']!() as Record<
      string,
      unknown
    >;
    const { train, heldOut, validation, leftOut } = await load({ ...task, test_size: 50 });
    expect(textsOf(validation)).toEqual(Array.from({ length: 30 }, (_, n) => `what is ${n + 100}?`));
    const shared = 90 - 30;
    expect(leftOut.at(-1)).toMatchObject({
      what: `questions of ${join(folder, 'f.jsonl')} that are held out or trained on`,
      count: shared,
    });
    expect(train.length + heldOut.length).toBe(100);
  });

  it('of a night were trained on by no night before, and are not in this one', async () => {
    const task = config({ ...arithmetic, train_size: 40, test_size: 20, validation_size: 20 });
    const plain = config({ ...arithmetic, train_size: 40, test_size: 20 });
    const first = await loadNight(task, null);
    expect(first.train).toEqual((await loadNight(plain, null)).train);
    const before = { asked: first.asked, position: 40, heldOut: first.heldOut };
    const second = await loadNight(task, before);
    expect(second.train).toEqual((await loadNight(plain, before)).train);
    expect(second.validation).toHaveLength(20);
    const used = textsOf(first.train, second.train, second.heldOut);
    expect(textsOf(second.validation).filter((text) => used.includes(text))).toEqual([]);
  });
});

describe('a config', () => {
  const fault = (settings: object) => () => resolveConfig({ preset: 'quickstart', ...settings });

  it('is refused when it has a guard or answer: auto, and no validation questions', () => {
    expect(fault({ guard: { metric: 'agreement' } })).toThrow(
      /guard: .*agreement.* was given, but there are no validation questions .*: set task\.validation_size/,
    );
    expect(fault({ answer: 'auto', task: { validation_size: 0 } })).toThrow(
      /answer: "auto" was given, but there are no validation questions .*: set task\.validation_size/,
    );
    expect(fault({ guard: {}, answer: 'auto', task: { validation_size: 5 } })).not.toThrow();
    expect(
      fault({ guard: {}, task: { kind: 'jsonl', train_file: 'x', validation_file: 'y' } }),
    ).not.toThrow();
  });

  it('has no guard and no other new setting unless it names them', () => {
    const config = resolveConfig({ preset: 'quickstart' });
    expect(Object.keys(config)).not.toContain('guard');
    expect(Object.keys(config)).not.toContain('answer');
    expect(Object.keys(config.task)).not.toContain('validation_size');
    const guarded = resolveConfig({ preset: 'quickstart', guard: {}, task: { validation_size: 9 } });
    expect(guardOf(guarded)).toEqual({
      metric: 'accuracy',
      maxDrop: 0.05,
      patience: 1,
      onCollapse: 'stop',
    });
  });

  it('names a guard’s own faults with the path and the value', () => {
    expect(fault({ guard: { metric: 'kl', max_drop: 5 }, task: { validation_size: 5 } })).toThrow(
      /guard\.metric: "kl"[\s\S]*guard\.max_drop: 5/,
    );
  });
});
