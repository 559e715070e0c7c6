import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { createGrader } from '../../src/grading/grader.ts';
import { normalisedText } from '../../src/questions/task.ts';
import { loadHeldOut, loadNight, loadTask } from './load-task.ts';
import {
  gsm8kRow,
  math500Row,
  mathRow,
  mmluRow,
  rows,
  type sampleFiles,
  type Sizes,
  writeDataset,
  writeRows,
} from './samples.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-datasets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const grader = createGrader();
afterAll(() => grader.close());

type Kind = keyof typeof sampleFiles;
const kinds: Kind[] = ['gsm8k', 'math', 'math-500', 'mmlu'];
const config = (task: object, seed = 0) => resolveConfig({ preset: 'paper', seed, task });
const load = (task: object, seed = 0) => loadTask(config(task, seed));

/** A task on small local copies of its datasets. */
function localTask(kind: Kind, sizes: Sizes): object {
  const task = { kind, dataset_path: writeDataset(join(folder, kind), kind, sizes) };
  if (kind !== 'math-500') return task;
  return { ...task, train_dataset_path: writeDataset(join(folder, 'math'), 'math', sizes) };
}

describe('a task from a dataset', () => {
  it.each(kinds)(
    '%s has as many questions as are asked for, apart from each other, by the seed',
    async (kind) => {
      const task = { ...localTask(kind, { train: 60, test: 60 }), train_size: 30, test_size: 20 };
      const data = await load(task);
      expect([data.train.length, data.trainLabels.length, data.heldOut.length]).toEqual([30, 30, 20]);
      const texts = [...data.train, ...data.heldOut].map(({ text }) => normalisedText(text));
      expect(new Set(texts).size).toBe(50);
      expect(await load(task)).toEqual(data);
      expect((await load(task, 1)).train).not.toEqual(data.train);
      expect((await load(task, 1)).heldOut).not.toEqual(data.heldOut);
    },
  );

  it.each(kinds)(
    '%s asks the paper’s 500 and 500, and says how many there are when that is too many',
    async (kind) => {
      const task = localTask(kind, { train: 9, test: 499 });
      await expect(load(task)).rejects.toThrow(
        /task\.train_size: 500 questions .* has only \d+ that can be used/,
      );
      const measured = { 'math-500': 499, gsm8k: 499, mmlu: 499, math: 7 * 300 }[kind];
      const loading = load({ ...task, train_size: 5, test_size: measured + 1 });
      await expect(loading).rejects.toThrow(`task.test_size: ${measured + 1} questions were asked for, but `);
      await expect(loading).rejects.toThrow(new RegExp(`\\(test.* has only ${measured} that can be used`));
    },
  );

  it.each(kinds)(
    '%s has the same held-out questions for agents that were trained on another task',
    async (kind) => {
      const task = { ...localTask(kind, { train: 60, test: 60 }), train_size: 30, test_size: 20 };
      const { heldOut } = await load(task, 3);
      rmSync(join(folder, 'math', 'algebra', 'train-00000-of-00001.parquet'), { force: true });
      rmSync(join(folder, 'gsm8k', 'main', 'train-00000-of-00001.parquet'), { force: true });
      expect(await loadHeldOut(config(task, 3))).toEqual(heldOut);
    },
  );

  it.each(kinds)('%s never asks a question twice in a series until all were asked', async (kind) => {
    const task = { ...localTask(kind, { train: 10, test: 10 }), train_size: 5, test_size: 5 };
    const first = await loadNight(config(task), null);
    const before = { asked: first.asked, position: 5, heldOut: first.heldOut };
    const second = await loadNight(config(task), before);
    expect(second.heldOut).toEqual(first.heldOut);
    const texts = [...first.train, ...second.train].map(({ text }) => text);
    expect(new Set(texts).size).toBe(10);
    expect(texts.some((text) => first.heldOut.some((held) => held.text === text))).toBe(false);
  });

  it('GSM8K: the gold answer stands behind ####, without thousands separators', async () => {
    const path = writeDataset(join(folder, 'gsm8k'), 'gsm8k', { train: 3, test: 2 });
    const { train, trainLabels, heldOut } = await load({
      kind: 'gsm8k',
      dataset_path: path,
      train_size: 3,
      test_size: 2,
    });
    expect(train.map(({ text }) => text)).toEqual(rows(0, 3, gsm8kRow).map(({ question }) => question));
    expect(trainLabels.map(({ answer }) => answer)).toEqual(['2', '3', '4']);
    expect(heldOut.map(({ answer }) => answer)).toEqual(['100002', '100003']);
  });

  it('MATH: the gold answer is the last box of the solution, of the chosen levels alone', async () => {
    const path = writeDataset(join(folder, 'math'), 'math', { train: 5, test: 5 });
    const task = { kind: 'math', dataset_path: path, train_size: 21, test_size: 21 };
    const { train, trainLabels } = await load(task);
    expect(train[0]?.text).toBe(mathRow('algebra', 0)['problem']);
    expect(trainLabels.slice(0, 3).map(({ answer }) => answer)).toEqual(
      [1, 3, 5].map((n) => `\\frac{${n}}{2}`),
    );
    const five = await load({ ...task, levels: [5], train_size: 7, test_size: 7 });
    expect(new Set(five.trainLabels.map(({ answer }) => answer))).toEqual(new Set(['\\frac{9}{2}']));
    await expect(load({ ...task, train_size: 22 })).rejects.toThrow('(train, levels 1, 2, 3, from');
  });

  it('MATH: a level "Level ?" belongs to none of the levels', async () => {
    const odd = { ...mathRow('algebra', 77), level: 'Level ?' };
    writeRows(join(folder, 'train.jsonl'), [odd, mathRow('algebra', 5)]);
    writeRows(join(folder, 'test.jsonl'), [mathRow('algebra', 6)]);
    const sizes = { train_size: 1, test_size: 1 };
    const { train } = await load({ kind: 'math', dataset_path: folder, levels: [1, 2, 3, 4, 5], ...sizes });
    expect(train.map(({ text }) => text)).toEqual([mathRow('algebra', 5)['problem']]);
  });

  it('MATH-500 is held out, and what is trained on is MATH without it', async () => {
    const task = localTask('math-500', { train: 4, test: 8 });
    const both = {
      ...mathRow('algebra', 1),
      problem: ` how MANY ${String(math500Row(3)['problem']).slice(9)}`,
    };
    writeRows(join(folder, 'math/algebra/train-00000-of-00001.parquet'), [both, mathRow('algebra', 2)]);
    const data = await load({ ...task, train_size: 25, test_size: 8 });
    expect(data.heldOut.map(({ text, answer }) => [text, answer])).toEqual(
      rows(1, 9, math500Row).map(({ problem, answer }) => [problem, answer]),
    );
    expect(data.train).toHaveLength(25);
    expect(data.leftOut).toEqual([
      {
        what: expect.stringContaining(
          'training questions that HuggingFaceH4/MATH-500 (test, levels 1, 2, 3, 4, 5',
        ),
        count: 1,
        examples: ['how MANY whole numbers lie strictly between $0$ and $3$?'],
      },
    ]);
  });

  it('MMLU: the choices have letters, and letter, text or both are right', async () => {
    const path = writeDataset(join(folder, 'mmlu'), 'mmlu', { train: 1, test: 1 });
    const { heldOut } = await load({ kind: 'mmlu', dataset_path: path, train_size: 1, test_size: 1 });
    const [{ text, answer } = { text: '', answer: '' }] = heldOut;
    expect(text).toBe(
      [
        'Which of these rivers flows through the invented town number 100000?',
        '',
        'A) the Alder 100000',
        'B) the Birch 100000',
        'C) the Cedar 100000',
        'D) none of them',
        '',
        'Give the letter of the right choice as the answer.',
      ].join('\n'),
    );
    const given = [
      'B',
      '(B)',
      '\\text{B}',
      'b',
      'the Birch 100000',
      'B. the Birch 100000',
      'A',
      'E',
      '1',
      '(C) the Birch 100000',
    ];
    const right = await Promise.all(given.map(async (one) => grader.equal(answer, one)));
    expect(given.filter((_, index) => right[index])).toEqual(given.slice(0, 6));
  });

  it.each([
    [4, '4 is none of the 4 choices: expected a place from 0 to 3, or a letter from A to D'],
    ['E', '"E" is none of the 4 choices'],
    ['2', '"2" is none of the 4 choices'],
    [-1, '-1 is none of the 4 choices'],
  ])('MMLU: a gold answer %j that is none of the choices is refused with its row', async (answer, told) => {
    writeRows(join(folder, 'validation.jsonl'), rows(0, 2, mmluRow));
    writeRows(join(folder, 'test.jsonl'), [mmluRow(5), { ...mmluRow(6), answer }]);
    const loading = load({ kind: 'mmlu', dataset_path: folder, train_size: 1, test_size: 1 });
    await expect(loading).rejects.toThrow(`test.jsonl cannot be used:\n  line 2: answer: ${told}`);
  });

  it('is read from one file of JSON lines a split too, with the dataset’s own fields', async () => {
    writeRows(join(folder, 'train.jsonl'), rows(0, 4, gsm8kRow));
    writeRows(join(folder, 'test.jsonl'), rows(10, 12, gsm8kRow));
    const data = await load({ kind: 'gsm8k', dataset_path: folder, train_size: 4, test_size: 2 });
    expect(data.heldOut.map(({ answer }) => answer)).toEqual(['12', '13']);
  });

  it('says what a local copy lacks', async () => {
    const loading = load({ kind: 'gsm8k', dataset_path: folder });
    await expect(loading).rejects.toThrow(
      `${folder} cannot be used:\n  task.dataset_path names it as a copy of openai/gsm8k, but it has no main/train-00000-of-00001.parquet, nor train.jsonl, nor train.parquet`,
    );
  });

  it.each([
    ['gsm8k', { ...gsm8kRow(1), answer: 'It is 3.' }, 'answer: has no final answer behind ####'],
    ['gsm8k', { question: 'Q?' }, 'answer: missing'],
    ['math', { ...mathRow('algebra', 0), solution: 'It is 3.' }, 'solution: has no \\boxed{answer}'],
    ['math', { ...mathRow('algebra', 0), level: 3 }, 'level: expected a text such as "Level 3"'],
  ])('%s refuses a row that is not of its layout, saying where and why', async (kind, row, told) => {
    writeRows(join(folder, 'train.jsonl'), [row]);
    writeRows(join(folder, 'test.jsonl'), [row]);
    const loading = load({ kind, dataset_path: folder });
    await expect(loading).rejects.toThrow(`train.jsonl cannot be used:\n  line 1: ${told}`);
  });
});

describe('decontaminating', () => {
  it('leaves out training questions that another dataset or file has, counts them and shows some', async () => {
    const math500 = writeDataset(join(folder, 'm500'), 'math-500', { train: 0, test: 9 });
    const train = [
      ...rows(1, 7, math500Row).map(({ problem, answer }) => ({ question: `  ${String(problem)}`, answer })),
      ...rows(0, 9, gsm8kRow).map(({ question }) => ({ question, answer: '1' })),
    ];
    const other = writeRows(join(folder, 'other.parquet'), rows(2, 4, gsm8kRow));
    const data = await load({
      kind: 'jsonl',
      train_file: writeRows(join(folder, 'train.jsonl'), train),
      test_file: writeRows(join(folder, 'test.jsonl'), [{ question: 'Other?', answer: '1' }]),
      decontaminate: [{ kind: 'math-500', dataset_path: math500 }, other],
    });
    expect(data.train).toHaveLength(7);
    expect(data.leftOut.map(({ what, count, examples }) => [what, count, examples.length])).toEqual([
      [`training questions that HuggingFaceH4/MATH-500 (test, from ${math500}) has too`, 6, 3],
      [`training questions that ${other} has too`, 2, 2],
    ]);
  });

  it('that leaves too few says so', async () => {
    const train_file = writeRows(join(folder, 'train.jsonl'), [{ question: 'One?', answer: '1' }]);
    const test_file = writeRows(join(folder, 'test.jsonl'), [{ question: 'Two?', answer: '2' }]);
    const loading = load({ kind: 'jsonl', train_file, test_file, decontaminate: [train_file] });
    await expect(loading).rejects.toThrow('task.train_size: 1 question was asked for');
    await expect(loading).rejects.toThrow('has only 0 that can be used');
  });
});
