import { expect, it } from 'vitest';
import { originOf, taskConfigSchema } from '../../src/config/tasks.ts';

const origin = (task: object) => originOf(taskConfigSchema.parse(task));

it('a task says where its questions come from, and whether they are the sums that the embedded model knows', () => {
  expect(origin({ kind: 'arithmetic' })).toEqual({ name: 'arithmetic', dataset: null, sums: true });
  expect(origin({ kind: 'math-500' })).toEqual({
    name: 'math-500',
    dataset: 'HuggingFaceH4/MATH-500',
    sums: false,
  });
  expect(origin({ kind: 'hub', dataset: 'someone/questions' })).toEqual({
    name: 'someone/questions',
    dataset: 'someone/questions',
    sums: false,
  });
  expect(origin({ kind: 'jsonl', train_file: '/here/own.jsonl' })).toEqual({
    name: 'own.jsonl',
    dataset: null,
    sums: false,
  });
});
