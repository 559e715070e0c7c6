import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onAbort } from '../../src/engines/abort.ts';
import { createRequestSlots } from '../../src/engines/endpoint/request-slots.ts';

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

describe('the slots of a server', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('are taken in order, so many at once', async () => {
    const slots = createRequestSlots(2);
    const { signal } = new AbortController();
    const begun: number[] = [];
    const answers: (() => void)[] = [];
    const all = [0, 1, 2, 3].map((number) =>
      slots.use(() => {
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

  it('are lost once each when steps are asked to stop one after another within seconds', async () => {
    const slots = createRequestSlots(4);
    const steps = Array.from({ length: 5 }, step);
    let begun = 0;
    const ended = steps.flatMap(({ signal, answer }) =>
      Array.from({ length: 6 }, () =>
        slots
          .use(() => {
            begun += 1;
            return answer();
          }, signal)
          .catch((error: Error) => error.message),
      ),
    );
    for (const { stop } of steps) {
      stop();
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(begun).toBe(4);
    expect(await Promise.all(ended)).toEqual(ended.map(() => 'told to stop'));
    const { signal } = new AbortController();
    const next = slots.use(async () => 'an answer', signal);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await next).toBe('an answer');
  });

  it('whose request fails by itself are free at once', async () => {
    const slots = createRequestSlots(1);
    const { signal } = new AbortController();
    const first = slots
      .use(() => Promise.reject(new Error('refused')), signal)
      .catch((error: Error) => error.message);
    expect(await slots.use(async () => 'an answer', signal)).toBe('an answer');
    expect(await first).toBe('refused');
  });

  it('that are closed are given to no request until they are open again, and close once all work has ended', async () => {
    const slots = createRequestSlots(2);
    const { signal } = new AbortController();
    let finish = (): void => undefined;
    const first = slots.use(() => new Promise<void>((resolve) => (finish = resolve)), signal);
    await vi.advanceTimersByTimeAsync(0);
    let closed = false;
    const closing = slots.close().then(() => (closed = true));
    let begun = false;
    const second = slots.use(async () => (begun = true), signal);
    await vi.advanceTimersByTimeAsync(1_000);
    expect({ closed, begun }).toEqual({ closed: false, begun: false });
    finish();
    await Promise.all([first, closing]);
    expect(begun).toBe(false);
    slots.open();
    expect(await second).toBe(true);
  });

  it('that are closed end a wait for them when its signal is aborted', async () => {
    const slots = createRequestSlots(1);
    await slots.close();
    const stop = new AbortController();
    const waiting = slots.use(async () => 'an answer', stop.signal).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(0);
    stop.abort(new Error('told to stop'));
    expect(await waiting).toBe('told to stop');
    slots.open();
    expect(await slots.use(async () => 'an answer', new AbortController().signal)).toBe('an answer');
  });
});
