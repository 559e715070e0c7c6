import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidConfig } from '../../src/config/invalid-config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { InvalidTaskFile } from '../../src/tasks/invalid-task-file.ts';
import { loadTask } from '../../src/tasks/load-task.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-tasks-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}
function rows(name: string, from: number, to: number): string {
  const lines: string[] = [];
  for (let n = from; n < to; n++)
    lines.push(JSON.stringify({ question: `What is ${n}?`, answer: String(n), source: 'x' }));
  return file(name, lines.join('\n'));
}
const load = (task: object, seed = 0) =>
  loadTask(resolveConfig({ preset: 'paper', seed, task: { kind: 'jsonl', ...task } }));

describe('a task from files', () => {
  it('takes its questions from one file and its held-out questions from the other, in their order', async () => {
    const task = await load({ train_file: rows('train.jsonl', 0, 3), test_file: rows('test.jsonl', 10, 12) });
    expect(task).toEqual({
      train: [0, 1, 2].map((n) => ({ id: `train-0000${n}`, text: `What is ${n}?` })),
      trainLabels: [0, 1, 2].map((n) => ({ questionId: `train-0000${n}`, answer: String(n) })),
      heldOut: [10, 11].map((n) => ({
        id: `heldout-0000${n - 10}`,
        text: `What is ${n}?`,
        answer: String(n),
      })),
    });
  });

  it('accepts a path relative to the current folder, numbers as answers, CRLF, a byte order mark and empty lines', async () => {
    const path = file(
      'odd.jsonl',
      '\uFEFF{"question":"One?","answer":1}\r\n\r\n{"question":"Half?","answer":0.5}\r\n',
    );
    const task = await load({
      train_file: relative(process.cwd(), path),
      test_file: rows('test.jsonl', 10, 12),
    });
    expect(task.trainLabels.map(({ answer }) => answer)).toEqual(['1', '0.5']);
  });

  it('draws as many as are asked for by the seed', async () => {
    const files = { train_file: rows('train.jsonl', 0, 100), test_file: rows('test.jsonl', 200, 300) };
    const sizes = { train_size: 20, test_size: 10 };
    const task = await load({ ...files, ...sizes });
    expect(task.train).toHaveLength(20);
    expect(task.heldOut).toHaveLength(10);
    expect(await load({ ...files, ...sizes })).toEqual(task);
    expect(await load({ ...files, ...sizes }, 1)).not.toEqual(task);
  });

  it('holds out a fifth when there is no other file, by the seed', async () => {
    const train_file = rows('train.jsonl', 0, 100);
    const task = await load({ train_file });
    expect(task.train).toHaveLength(80);
    expect(task.heldOut).toHaveLength(20);
    expect(new Set([...task.train, ...task.heldOut].map(({ text }) => text)).size).toBe(100);
    expect((await load({ train_file }, 1)).heldOut).not.toEqual(task.heldOut);
  });

  it('drops held-out questions that are also training questions, whatever their white space and case', async () => {
    const test_file = file(
      'test.jsonl',
      '{"question":" WHAT  is\\n1? ","answer":"1"}\n{"question":"What is 7?","answer":"7"}\n',
    );
    const { heldOut } = await load({ train_file: rows('train.jsonl', 0, 3), test_file });
    expect(heldOut).toEqual([{ id: 'heldout-00000', text: 'What is 7?', answer: '7' }]);
  });

  it('counts a question that stands twice in a file once', async () => {
    const train_file = file(
      'twice.jsonl',
      '{"question":"A?","answer":"1"}\n{"question":"a?","answer":"2"}\n{"question":"B?","answer":"3"}',
    );
    const { train, trainLabels } = await load({ train_file, test_file: rows('test.jsonl', 0, 2) });
    expect(train.map(({ text }) => text)).toEqual(['A?', 'B?']);
    expect(trainLabels.map(({ answer }) => answer)).toEqual(['1', '3']);
  });

  it('names file, line and cause of each bad line', async () => {
    const train_file = file(
      'bad.jsonl',
      [
        '{"question":"A?","answer":"1"}',
        '{"question":"A?"',
        '{"question":"","answer":"1"}',
        '{"question":"C?"}',
        '[1]',
        '{"question":3,"answer":null}',
      ].join('\n'),
    );
    const error = await load({ train_file }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidTaskFile);
    expect(error).toMatchObject({ path: train_file, faults: [2, 3, 4, 5, 6].map((line) => ({ line })) });
    const message = String(error);
    for (const told of [
      train_file,
      'line 2: no JSON',
      'line 3: question: is empty',
      'line 4: answer',
      'line 5: expected an object',
      'line 6: question: expected a text',
    ])
      expect(message).toContain(told);
  });

  it('tells only the first ten of many bad lines', async () => {
    const train_file = file('worse.jsonl', '{}\n'.repeat(500));
    const error = await load({ train_file }).catch((reason: unknown) => reason);
    expect(String(error).split('\n').length).toBeLessThan(15);
    expect(String(error)).toContain('and 490 more bad lines');
  });

  it.each([
    ['empty', ''],
    ['blank', '\n \n'],
  ])('refuses an %s file', async (_, content) => {
    await expect(load({ train_file: file('empty.jsonl', content) })).rejects.toThrow(
      /empty\.jsonl cannot be used:\n.*it is empty/,
    );
  });

  it('refuses a file that is missing, a folder or no text', async () => {
    await expect(load({ train_file: join(folder, 'none.jsonl') })).rejects.toThrow('ENOENT');
    await expect(load({ train_file: folder })).rejects.toThrow('no ordinary file');
    await expect(load({ train_file: file('b.jsonl', new Uint8Array([0xff, 0xff])) })).rejects.toThrow(
      'not text in UTF-8',
    );
  });

  it.runIf(existsSync('/dev/zero'))('refuses a device, which may have no end', async () => {
    const error = await load({ train_file: '/dev/zero' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidTaskFile);
    expect(String(error)).toContain('no ordinary file');
  });

  it('refuses held-out questions that are all training questions', async () => {
    const path = rows('train.jsonl', 0, 3);
    await expect(load({ train_file: path, test_file: path })).rejects.toThrow(
      'no held-out question is left: all 3',
    );
  });

  it.each([
    [{ train_size: 4 }, 'task.train_size: 4 questions were asked for, but .*train.jsonl has only 3'],
    [{ test_size: 5 }, 'task.test_size: 5 questions were asked for, but .*test.jsonl has only 2'],
  ])('refuses %j of fewer questions, with the numbers', async (sizes, told) => {
    const files = { train_file: rows('train.jsonl', 0, 3), test_file: rows('test.jsonl', 10, 12) };
    const loading = load({ ...files, ...sizes });
    await expect(loading).rejects.toThrow(InvalidConfig);
    await expect(loading).rejects.toThrow(new RegExp(told));
  });

  it.each([[{}], [{ test_size: 3 }], [{ train_size: 2, test_size: 2 }]])(
    'refuses to hold out of too few questions with %j',
    async (sizes) => {
      await expect(load({ train_file: rows('few.jsonl', 0, 3), ...sizes })).rejects.toThrow(
        'has only 3 different ones',
      );
    },
  );
});
