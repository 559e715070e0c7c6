import { describe, expect, it } from 'vitest';
import { fixedSettings, resolveConfig } from '../../src/config/resolve.ts';

const fixed = (task: object) => JSON.stringify(fixedSettings(resolveConfig({ preset: 'paper', task })));

describe('the settings that no night of a series may change', () => {
  it.each([
    [{ kind: 'math' }, { train_size: 7, dataset_path: '/copy', decontaminate: [{ kind: 'math-500' }] }],
    [{ kind: 'math-500' }, { train_dataset_path: '/copy' }],
    [
      { kind: 'jsonl', train_file: 'a.jsonl' },
      { train_file: 'b.jsonl', train_size: 7 },
    ],
    [{ kind: 'arithmetic' }, { train_size: 7 }],
  ])('for %j do not include %j', (task, change) => {
    expect(fixed({ ...task, ...change })).toBe(fixed(task));
  });

  it.each([
    [{ kind: 'math' }, { levels: [4] }],
    [{ kind: 'mmlu' }, { test_size: 7 }],
    [{ kind: 'gsm8k' }, { revision: '0'.repeat(40) }],
    [{ kind: 'jsonl', train_file: 'a.jsonl' }, { skip_unreadable: true }],
    [{ kind: 'arithmetic' }, { form: 'a+b' }],
  ])('for %j include %j', (task, change) => {
    expect(fixed({ ...task, ...change })).not.toBe(fixed(task));
  });
});
