import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { taskConfigSchema } from '../../src/config/tasks.ts';
import { createTasks } from '../../src/questions/open-task.ts';
import { gsm8kRow, rows, type sampleFiles, writeDataset, writeRows } from './samples.ts';
import { taskContract } from './task.contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-tasks-'));
const tasks = createTasks();
afterAll(async () => {
  await tasks.close();
  rmSync(folder, { recursive: true });
});

taskContract({
  kind: 'arithmetic',
  open: ({ trainSize, testSize }) =>
    open({ kind: 'arithmetic', form: 'a+b', range: [0, 12] }, trainSize, testSize),
});

for (const kind of ['gsm8k', 'math', 'math-500', 'mmlu'] satisfies (keyof typeof sampleFiles)[]) {
  const copy = writeDataset(join(folder, kind), kind, { train: 60, test: 60 });
  const trainedOn =
    kind === 'math-500'
      ? { train_dataset_path: writeDataset(join(folder, 'math-to-train'), 'math', { train: 60, test: 60 }) }
      : {};
  taskContract({
    kind,
    open: ({ trainSize, testSize }) => open({ kind, dataset_path: copy, ...trainedOn }, trainSize, testSize),
  });
}

const questions = (from: number, to: number) =>
  rows(from, to, (n) => ({ question: gsm8kRow(n)['question'], answer: String(n + 2) }));

taskContract({
  kind: 'jsonl with a test file',
  open: ({ trainSize, testSize }) =>
    open(
      {
        kind: 'jsonl',
        train_file: writeRows(join(folder, 'train.jsonl'), questions(0, 60)),
        test_file: writeRows(join(folder, 'test.jsonl'), questions(60, 120)),
      },
      trainSize,
      testSize,
    ),
});

taskContract({
  kind: 'jsonl of one Parquet file',
  open: ({ trainSize, testSize }) =>
    open(
      { kind: 'jsonl', train_file: writeRows(join(folder, 'all.parquet'), questions(0, 90)) },
      trainSize,
      testSize,
    ),
});

function open(settings: object, trainSize: number, testSize: number) {
  return tasks.open(taskConfigSchema.parse({ ...settings, train_size: trainSize, test_size: testSize }));
}
