import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onAbort } from '../../src/engines/abort.ts';
import { createTurns } from '../../src/engines/endpoint/request-slots.ts';

/** A step that is told to stop: whatever it asks for ends then. */
function step() {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    stop: () => stop.abort(new Error('told to stop')),
    answer: () =>
      new Promise<never>((_, reject) => onAbort(stop.signal, () => reject(stop.signal.reason as Error))),
  };
}

describe('turns at an engine', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('are taken in order, so many at once', async () => {
    const turn = createTurns(2);
    const { signal } = new AbortController();
    const begun: number[] = [];
    const answers: (() => void)[] = [];
    const all = [0, 1, 2, 3].map((number) =>
      turn(() => {
        begun.push(number);
        return new Promise<number>((resolve) => answers.push(() => resolve(number)));
      }, signal),
    );
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1]);
    answers[1]!();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1, 2]);
    for (const answer of answers) answer();
    await vi.advanceTimersByTimeAsync(0);
    answers[3]!();
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3]);
  });

  it('are lost once each, when steps are told to stop one after another within seconds', async () => {
    const turn = createTurns(4);
    const steps = Array.from({ length: 5 }, step);
    let begun = 0;
    const ended = steps.flatMap(({ signal, answer }) =>
      Array.from({ length: 6 }, () =>
        turn(() => {
          begun += 1;
          return answer();
        }, signal).catch((error: Error) => error.message),
      ),
    );
    for (const { stop } of steps) {
      stop();
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(begun).toBe(4);
    expect(await Promise.all(ended)).toEqual(ended.map(() => 'told to stop'));
    const { signal } = new AbortController();
    const next = turn(async () => 'an answer', signal);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await next).toBe('an answer');
  });

  it('that fail by themselves are passed on at once', async () => {
    const turn = createTurns(1);
    const { signal } = new AbortController();
    const first = turn(() => Promise.reject(new Error('refused')), signal).catch(
      (error: Error) => error.message,
    );
    expect(await turn(async () => 'an answer', signal)).toBe('an answer');
    expect(await first).toBe('refused');
  });
});
