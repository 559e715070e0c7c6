import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { extractAnswer } from '../../src/algorithm/answer.ts';
import { InvalidConfig } from '../../src/config/faults.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { InvalidTaskFile, UnreadableGoldAnswers } from '../../src/questions/errors.ts';
import { loadHeldOut, loadTask } from './load-task.ts';
import { rows as sampleRows, writeRows } from './samples.ts';

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
      validation: [],
      leftOut: [],
    });
  });

  it('takes its questions from Parquet files, which have the same rows', async () => {
    const content = (from: number, to: number) =>
      sampleRows(from, to, (n) => ({ question: `What is ${n}?`, answer: n, note: 'x' }));
    const parquet = {
      train_file: writeRows(join(folder, 'train.parquet'), content(0, 30)),
      test_file: writeRows(join(folder, 'test.parquet'), content(40, 50)),
    };
    const lines = { train_file: rows('train.jsonl', 0, 30), test_file: rows('test.jsonl', 40, 50) };
    const sizes = { train_size: 7, test_size: 3 };
    expect(await load({ ...parquet, ...sizes })).toEqual(await load({ ...lines, ...sizes }));
  });

  it('names the row of a bad row of a Parquet file, and refuses what is none', async () => {
    const train_file = writeRows(join(folder, 'bad.parquet'), [
      { question: 'A?', answer: 'a' },
      { question: ' ', answer: 'b' },
    ]);
    await expect(load({ train_file })).rejects.toThrow(
      'bad.parquet cannot be used:\n  row 2: question: is empty\nEach row has to be an object',
    );
    await expect(load({ train_file: file('no.parquet', '{"question":"A?","answer":"1"}') })).rejects.toThrow(
      'it cannot be read as Parquet',
    );
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

  it('refuses held-out questions that are also training questions, whatever their white space and case, with examples', async () => {
    const train_file = rows('train.jsonl', 0, 9);
    const test_file = file(
      'test.jsonl',
      '{"question":" WHAT  is\\n1? ","answer":"1"}\n{"question":"What is 77?","answer":"77"}\n',
    );
    await expect(load({ train_file, test_file })).rejects.toThrow(
      `${test_file} cannot be used:\n  1 of its 2 held-out questions are also among the training questions of ${train_file}: "WHAT is 1?". `,
    );
    const many = load({ train_file, test_file: rows('test.jsonl', 4, 40) });
    await expect(many).rejects.toThrow(
      '5 of its 36 held-out questions are also among the training questions of',
    );
    await expect(many).rejects.toThrow('"What is 4?", "What is 5?", "What is 6?", ….');
  });

  it('leaves such questions out of the training with decontaminate, and counts them', async () => {
    const train_file = rows('train.jsonl', 0, 9);
    const test_file = rows('test.jsonl', 7, 12);
    const { train, heldOut, leftOut } = await load({ train_file, test_file, decontaminate: [test_file] });
    expect(train.map(({ text }) => text)).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `What is ${n}?`));
    expect(heldOut).toHaveLength(5);
    const what = `training questions that ${test_file} has too`;
    expect(leftOut).toEqual([{ what, count: 2, examples: ['What is 7?', 'What is 8?'] }]);
  });

  it('never trains on a held-out question, whatever the files share', async () => {
    const numbers = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 30 });
    const asRows = (name: string, some: readonly number[]) =>
      writeRows(
        join(folder, name),
        some.map((n) => ({ question: n % 2 === 0 ? ` what IS ${n}?` : `What is  ${n}?`, answer: n })),
      );
    await fc.assert(
      fc.asyncProperty(numbers, numbers, fc.nat(1000), async (train, test, seed) => {
        const left = train.filter((n) => !test.includes(n));
        fc.pre(left.length > 0);
        const test_file = asRows('held.jsonl', test);
        const train_file = asRows('learnt.jsonl', train);
        const data = await load({ train_file, test_file, decontaminate: [test_file] }, seed);
        expect(data.trainLabels.map(({ answer }) => Number(answer))).toEqual(left);
        expect(data.heldOut.map(({ answer }) => Number(answer))).toEqual(test);
        expect(data.leftOut.map(({ count }) => count)).toEqual(
          left.length === train.length ? [] : [train.length - left.length],
        );
      }),
      { numRuns: 50 },
    );
  });

  it('counts questions that a file has twice, and counts those separately whose answers differ', async () => {
    const train_file = file(
      'twice.jsonl',
      ['{"question":"What is 1?","answer":"1"}', '{"question":"what  is 1?","answer":"1"}']
        .concat('{"question":"WHAT is 1?","answer":"77"}')
        .concat(Array.from({ length: 9 }, (_, n) => `{"question":"And ${n}?","answer":"${n}"}`))
        .join('\n'),
    );
    const { train, heldOut, leftOut } = await load({ train_file });
    expect(train.length + heldOut.length).toBe(10);
    expect(leftOut).toEqual([
      { what: `questions of ${train_file} that it had before`, count: 1, examples: ['what is 1?'] },
      {
        what: `questions of ${train_file} that it had before with another answer, which counts`,
        count: 1,
        examples: ['WHAT is 1?'],
      },
    ]);
  });

  it.each(['9007199254740993', '123456789012345678901', '0.12345678901234567'])(
    'refuses the number %s, which JSON cannot hold, rather than ask for another one',
    async (number) => {
      const train_file = file('long.jsonl', `{"question":"What is 1?","answer":${number}}`);
      await expect(load({ train_file })).rejects.toThrow('write it as a text');
    },
  );

  it('takes numbers that survive being read, as they are written', async () => {
    const numbers = [0.1, -3.75, 9_007_199_254_740_991, 0, 123_456_789_012_345];
    const train_file = file(
      'numbers.jsonl',
      numbers.map((answer, n) => JSON.stringify({ question: `Q${n}?`, answer })).join('\n'),
    );
    const { trainLabels, heldOut } = await load({ train_file, test_size: 1 });
    expect([...trainLabels, ...heldOut].map(({ answer }) => answer).toSorted()).toEqual(
      numbers.map(String).toSorted(),
    );
  });

  it('takes a list of answers, each of which is right, and keeps the first as the gold answer', async () => {
    const path = file(
      'several.jsonl',
      '{"question":"Colour of the sky?","answer":["blue","azure"]}\n{"question":"2?","answer":[2]}',
    );
    const { heldOut, trainLabels } = await load({
      train_file: rows('train.jsonl', 0, 2),
      test_file: path,
    });
    expect(heldOut).toMatchObject([{ answer: 'blue', accepted: ['azure'] }, { answer: '2' }]);
    expect(heldOut[1]).not.toHaveProperty('accepted');
    expect(trainLabels[0]).toEqual({ questionId: 'train-00000', answer: '0' });
    const unreadable = file('several-bad.jsonl', '{"question":"A?","answer":["1","1/0"]}');
    await expect(load({ train_file: rows('train.jsonl', 0, 2), test_file: unreadable })).rejects.toThrow(
      '1/0',
    );
    const empty = file('several-none.jsonl', '{"question":"A?","answer":[]}');
    await expect(load({ train_file: rows('train.jsonl', 0, 2), test_file: empty })).rejects.toThrow('line 1');
  });

  it('has the same held-out questions for agents that were trained on another task', async () => {
    const train_file = rows('train.jsonl', 0, 100);
    const config = resolveConfig({ preset: 'paper', seed: 5, task: { kind: 'jsonl', train_file } });
    expect(await loadHeldOut(config)).toEqual((await loadTask(config)).heldOut);
  });

  it('refuses gold answers that the grader cannot read, and lists the first of them', async () => {
    const gold = ['1', '\\frac{1}{', '3', '4/0', ...Array.from({ length: 12 }, (_, n) => `((${n}`)];
    const train_file = file(
      'gold.jsonl',
      gold.map((answer, n) => JSON.stringify({ question: `Q${n}?`, answer })).join('\n'),
    );
    const error = await load({ train_file }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnreadableGoldAnswers);
    const told = String(error);
    expect(told).toContain(`cannot read 14 of the 16 gold answers of ${train_file}:`);
    expect(told).toContain('  line 2: "\\\\frac{1}{": its brackets do not match');
    expect(told).toContain('  line 4: "4/0": it equals nothing, as a division by zero does');
    expect(told).toContain('  … and 4 more\n');
    expect(told).toContain('task.skip_unreadable: true');
  });

  it.each([
    ['Tom has 2 + 3 = <<2+3=5>>5 apples.\n#### 5', '5'],
    ['2 + 3 = 5 #### 5', '5'],
    ['It costs a lot.\n#### 1,234', '1234'],
    ['We get $x = \\boxed{\\frac{1}{2}}$.', '\\frac{1}{2}'],
    ['x = \\boxed{1} or x = \\boxed{-1}', '1, -1'],
    ['\\boxed{5}', '5'],
    ['#### Step 1\nAdd.\n#### Step 2\nSo it is \\boxed{7}.', '7'],
    ['First we add 2 and 3.\nSo the answer is 5.', '5'],
    ['She sells 16 - 7 = 9.\n9 * 2 = 18\nA: 18', '18'],
    ['The answer is 42.', '42'],
    ['<answer>Paris</answer>', 'Paris'],
    ['(B) The answer to everything', '(B) The answer to everything'],
    ['\\begin{pmatrix} 1 \\\\\n 2 \\end{pmatrix}', '\\begin{pmatrix} 1 \\\\\n 2 \\end{pmatrix}'],
    ['the powerhouse of the cell', 'the powerhouse of the cell'],
    ['A: 18', 'A: 18'],
    ['2x + 1 = 7', '2x + 1 = 7'],
  ])('takes the answer that the worked solution %j marks, or else the text itself', async (answer, gold) => {
    const train_file = file('worked.jsonl', JSON.stringify({ question: 'Q?', answer }));
    const { trainLabels } = await load({ train_file, test_file: rows('test.jsonl', 0, 2) });
    expect(trainLabels).toEqual([{ questionId: 'train-00000', answer: gold }]);
    expect(extractAnswer(`So it is \\boxed{${gold}}.`), 'a response can give it').toBe(gold);
  });

  it.each([
    [
      'Tom has 2 apples.\nHe gets 3 more, so he has 5.',
      'end a worked solution with its answer, for example #### 5',
    ],
    ['x = 2\ny = 3', 'end a worked solution with its answer'],
    ['Tom has 5 apples. ####', 'end a worked solution with its answer'],
    ['Tom has 2 + 3 = 5 apples left', 'end a worked solution with its answer'],
    ['word '.repeat(31), 'end a worked solution with its answer'],
    ['\\boxed{}', 'there is nothing in it to compare'],
    ['answer', 'it stands in the place of an answer and is none'],
    ['[your answer]', 'it stands in the place of an answer and is none'],
    ['?', 'it'],
  ])('refuses the gold answer %j, which no response can give, with its line', async (answer, why) => {
    const train_file = file(
      'never.jsonl',
      `{"question":"One?","answer":"1"}\n${JSON.stringify({ question: 'Q?', answer })}`,
    );
    const files = { train_file, test_file: rows('test.jsonl', 0, 2) };
    const error = await load(files).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnreadableGoldAnswers);
    expect(String(error)).toContain(`cannot read 1 of the 2 gold answers of ${train_file}:\n  line 2: `);
    expect(String(error)).toContain(why);
    const { train, leftOut } = await load({ ...files, skip_unreadable: true });
    expect([train.map(({ text }) => text), leftOut.map(({ count }) => count)]).toEqual([['One?'], [1]]);
  });

  it('leaves questions out whose gold answer cannot be read with skip_unreadable, and counts them', async () => {
    const train_file = file(
      'gold.jsonl',
      ['1', '(', '3'].map((answer, n) => JSON.stringify({ question: `Q${n}?`, answer })).join('\n'),
    );
    const { train, leftOut } = await load({
      train_file,
      test_file: rows('test.jsonl', 0, 2),
      skip_unreadable: true,
    });
    expect(train.map(({ text }) => text)).toEqual(['Q0?', 'Q2?']);
    const what = `questions of ${train_file} whose gold answer the grader cannot read`;
    expect(leftOut).toEqual([{ what, count: 1, examples: ['Q1?'] }]);
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

  it('quotes nothing of a file that has no rows: it may be any file of the host', async () => {
    const secrets = [
      'root:$6$c4n4ry:19000::',
      'token=c4n4ry',
      '{"password": c4n4ry',
      '"c4n4ry',
      '["c4n4ry",]',
    ];
    const error = await load({ train_file: file('shadow', secrets.join('\n')) }).catch(String);
    expect(error).toContain('line 1: no JSON');
    expect(error).not.toContain('c4n4ry');
  });

  it('is read only below the folders that the worker has for it, whatever a link says', async () => {
    const allowed = join(folder, 'allowed');
    mkdirSync(join(allowed, 'deep'), { recursive: true });
    const outside = rows('outside.jsonl', 0, 20);
    symlinkSync(outside, join(allowed, 'link.jsonl'));
    symlinkSync(allowed, join(folder, 'other-way'));
    const inside = rows('allowed/deep/inside.jsonl', 0, 20);
    vi.stubEnv('COLLOQUY_DATA', `${join(folder, 'none')}:${allowed}`);
    try {
      for (const refused of [
        outside,
        join(allowed, 'link.jsonl'),
        `${allowed}/../outside.jsonl`,
        '/etc/passwd',
      ])
        await expect(load({ train_file: refused, test_size: 1 }), refused).rejects.toThrow('COLLOQUY_DATA');
      for (const read of [inside, join(folder, 'other-way/deep/inside.jsonl')])
        await expect(load({ train_file: read, test_size: 1 }), read).resolves.toHaveProperty('train');
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('refuses half of a character, which no tokenizer takes, with its line', async () => {
    const lines = [
      '{"question":"Good \ud83d\ude00?","answer":"1"}',
      '{"question":"Half \\ud83d?","answer":"1"}',
      '{"question":"Q?","answer":"\\ude00"}',
      '{"question":"Q2?","answer":"2"}',
    ];
    const error = await load({ train_file: file('half.jsonl', lines.join('\n')) }).catch(String);
    expect(error).toContain('line 2: its question has half of a character');
    expect(error).toContain('line 3: its answer has half of a character');
    expect(error).not.toContain('line 1');
  });

  it.each([
    ['{"question":"Q?","text":"x"}', true],
    ['{"question":"Q?","answer":{"value":1}}', true],
    ['{"question":"Q?"', false],
    ['5', false],
  ])(
    'of the bad line %s mentions other keys only where a key is missing or wrong',
    async (line, mentioned) => {
      const error = String(
        await load({ train_file: file('keys.jsonl', line) }).catch((reason: unknown) => reason),
      );
      expect(error).toContain('Each line has to be an object {"question": "…", "answer": "…"}');
      expect(error.includes('; it may have other keys, too.')).toBe(mentioned);
    },
  );

  it('says of a line without an answer that it is missing, and of one with another thing what is expected', async () => {
    const said = async (line: string) =>
      String(await load({ train_file: file('no-answer.jsonl', line) }).catch((reason: unknown) => reason));
    expect(await said('{"question":"Q?"}')).toContain('line 1: answer: missing\n');
    expect(await said('{"question":"Q?","answer":{"value":1}}')).toContain(
      'line 1: answer: expected a text, a list of texts, or a number of at most 15 digits',
    );
  });

  it('names only the first ten of many bad lines', async () => {
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
