import { afterEach, describe, expect, it } from 'vitest';
import {
  createEngineThread,
  type EngineQuestion,
  GraderEngineUnavailable,
} from '../../src/grading/engine.ts';
import { createGrader } from '../../src/grading/grader.ts';

const timeout = 60_000;
const easy: EngineQuestion = { relation: 'equal', a: '\\sqrt{12}', b: '2\\sqrt{3}' };
/** No check refuses this expression, because `ask` comes after the checks. The engine's native powers cannot be interrupted. */
const endless: EngineQuestion = { relation: 'equal', a: '9^{9^{9^{9}}}', b: '8^{9^{9^{9}}}' };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thread of open.splice(0)) await thread.close();
});

describe('the engine in its thread', () => {
  it(
    'answers after a question that had to be ended, and time in the queue does not count',
    { timeout },
    async () => {
      const engine = createEngineThread();
      open.push(engine);
      const replies = await Promise.all([
        engine.ask(endless, 300),
        engine.ask(easy, 5000),
        engine.ask(endless, 300),
        engine.ask(easy, 5000),
      ]);
      expect(replies.map(({ equal }) => equal)).toEqual([false, true, false, true]);
      expect(replies[1]?.killed).toBe(false);
    },
  );

  it('refuses questions once it is closed', { timeout }, async () => {
    const engine = createEngineThread();
    const waiting = engine.ask(easy, 1000).catch((error: unknown) => error);
    await engine.close();
    expect(await waiting).toBeInstanceOf(GraderEngineUnavailable);
    await expect(engine.ask(easy, 1000)).rejects.toBeInstanceOf(GraderEngineUnavailable);
  });
});

describe('the grader', () => {
  it('decides arithmetic at once, without a promise', () => {
    const grader = createGrader();
    open.push(grader);
    expect(grader.equal('31', ' 31. ')).toBe(true);
    expect(grader.equal('31', '\\frac{62}{3}')).toBe(false);
    expect(grader.equal('even', '\\text{Even}')).toBe(true);
  });

  it('answers many questions that are asked at once', { timeout }, async () => {
    const grader = createGrader();
    open.push(grader);
    const squares = Array.from({ length: 40 }, (_, index) => index + 2);
    const verdicts = await Promise.all(
      squares.map(async (n) => grader.equal(`${n}\\sqrt{2}`, `\\sqrt{${2 * n * n}}`)),
    );
    expect(verdicts).toEqual(squares.map(() => true));
  });

  it('remembers a pair, also in the other order', { timeout }, async () => {
    const grader = createGrader();
    open.push(grader);
    expect(await grader.equal('\\sqrt{8}', '2\\sqrt{2}')).toBe(true);
    expect(grader.equal('2\\sqrt2', '\\sqrt{8}')).toBe(true);
  });
});
