import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createScorer, loadScorers, type Scorer } from '../../src/questions/scorer.ts';
import {
  ScorerEnded,
  ScorerReplyUnreadable,
  ScorerTooSlow,
  ScorerUnknown,
} from '../../src/questions/errors.ts';
import { createTasks } from '../../src/questions/open-task.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-scorer-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A scorer whose program does this with each line that it reads, as `row`. */
function scorer(body: string, seconds = 30): Scorer {
  const made = createScorer('mine', { command: program(body), timeout_seconds: seconds });
  open.push(made);
  return made;
}

function program(body: string): string[] {
  const script = `
    const lines = require('node:readline').createInterface({ input: process.stdin });
    const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
    lines.on('line', (line) => { const row = JSON.parse(line); ${body} });`;
  return [process.execPath, '-e', script];
}

describe("a scorer of one's own", () => {
  it('judges answers by its program, which is started once and reads question, gold and accepted answers', async () => {
    const mine = scorer(
      'process.count = (process.count ?? 0) + 1; say({ correct: row.gold + row.accepted + row.question === row.answer, count: process.count })',
    );
    const judged = ['ABCQ', 'no', 'ABCQ'].map((answer) =>
      mine.correct(answer, { answer: 'A', accepted: ['BC'] }, 'Q'),
    );
    expect(await Promise.all(judged)).toEqual([true, false, true]);
  });

  it('names how its program ended and what it wrote to stderr, and is started again for the next answer', async () => {
    const mine = scorer(
      "if (row.answer === 'bad') { console.error('no such rule'); process.exit(3); } say({ correct: true })",
    );
    const [bad, good] = await Promise.allSettled([
      mine.correct('bad', { answer: '1' }, ''),
      mine.correct('good', { answer: '1' }, ''),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: expect.any(ScorerEnded) });
    expect(String(bad.status === 'rejected' && bad.reason)).toMatch(/exited with code 3[^]*no such rule/);
    expect(good).toEqual({ status: 'fulfilled', value: true });
  });

  it('ends a program that does not reply in time', async () => {
    const mine = scorer('', 0.3);
    await expect(mine.correct('slow', { answer: '1' }, '')).rejects.toThrow(ScorerTooSlow);
  });

  it.each([
    ['no JSON', "process.stdout.write('True\\n')"],
    ['another field', 'say({ equal: true })'],
    ['a text', "say({ correct: 'yes' })"],
    ['a list', 'say([true])'],
  ])('refuses a reply that is %s, and shows it', async (_, body) => {
    const judged = scorer(body).correct('1', { answer: '1' }, '');
    await expect(judged).rejects.toThrow(ScorerReplyUnreadable);
    await expect(judged).rejects.toThrow('{"correct": true}');
  });

  it('says that its program cannot be started', async () => {
    const mine = createScorer('mine', { command: [join(folder, 'none')], timeout_seconds: 30 });
    await expect(mine.correct('1', { answer: '1' }, '')).rejects.toThrow(
      /mine .* could not be started: .*ENOENT/,
    );
  });

  it('gives its program no secret of the worker', async () => {
    process.env['MY_API_KEY'] = 'secret';
    try {
      const mine = scorer('say({ correct: process.env.MY_API_KEY === undefined })');
      expect(await mine.correct('1', { answer: '1' }, '')).toBe(true);
    } finally {
      delete process.env['MY_API_KEY'];
    }
  });

  it('leaves no answer waiting when it is closed', async () => {
    const mine = scorer('');
    const waiting = mine.correct('1', { answer: '1' }, '').catch((error: unknown) => error);
    await mine.close();
    expect(await waiting).toBeInstanceOf(ScorerEnded);
  });
});

describe('a task with a scorer', () => {
  const task = { kind: 'jsonl', train_file: 'train.jsonl', scorer: 'mine' } as const;

  it('judges by it, and compares answers with each other by the grader', async () => {
    const tasks = createTasks({
      mine: { command: program("say({ correct: row.answer === 'x' })"), timeout_seconds: 30 },
    });
    open.push(tasks);
    const { correct, equal } = tasks.open(task).answers;
    expect(await correct('x', { answer: '5' }, 'Q')).toBe(true);
    expect(await correct('5', { answer: '5' }, 'Q')).toBe(false);
    expect(await equal('0.5', '1/2')).toBe(true);
  });

  it('is refused by a worker that has no scorer of that name', () => {
    const tasks = createTasks({ other: { command: ['x'], timeout_seconds: 1 } });
    open.push(tasks);
    expect(() => tasks.open(task)).toThrow(ScorerUnknown);
    expect(() => tasks.open({ ...task, scorer: 'constructor' })).toThrow(/it knows other/);
  });
});

describe('the file of scorers', () => {
  it('has commands by name, with 60 s for an answer by default', () => {
    const path = join(folder, 'scorers.yaml');
    writeFileSync(path, 'mine: { command: [python3, score.py] }');
    expect(loadScorers({ COLLOQUY_SCORERS: path })).toEqual({
      mine: { command: ['python3', 'score.py'], timeout_seconds: 60 },
    });
    writeFileSync(path, 'mine: { command: python3 score.py }');
    expect(() => loadScorers({ COLLOQUY_SCORERS: path })).toThrow('mine.command');
  });
});
