import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  abortable,
  createRequestSlots,
  createTurns,
  onAbort,
  pause,
  type Turn,
} from '../../src/engines/waiting.ts';

const never = new Promise<never>(() => undefined);

describe('waiting that a signal can end', () => {
  it('gives the value, or the error, of what is waited for', async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(undefined), signal)).toBeUndefined();
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it.each(['before', 'during'])('throws the very reason of an abort %s the wait', async (when) => {
    const reason = { any: 'reason' };
    const abort = new AbortController();
    if (when === 'before') abort.abort(reason);
    const waits = [abortable(never, abort.signal), pause(1e6, abort.signal)];
    const checks = waits.map((wait) => expect(wait).rejects.toBe(reason));
    abort.abort(reason);
    await Promise.all(checks);
  });

  it('ends by itself after the time', async () => {
    await pause(1, new AbortController().signal);
  });
});

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

  it('can become more, for those that wait, and fewer, when those that are taken are free again', async () => {
    const slots = createRequestSlots(1);
    const { signal } = new AbortController();
    let begun = 0;
    const answers: (() => void)[] = [];
    const ask = (): Promise<void> =>
      slots.use(() => {
        begun += 1;
        return new Promise<void>((resolve) => answers.push(resolve));
      }, signal);
    const all = Array.from({ length: 5 }, ask);
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toBe(1);
    slots.resize(3);
    await vi.advanceTimersByTimeAsync(0);
    expect([begun, slots.count]).toEqual([3, 3]);
    slots.resize(1);
    answers.splice(0, 2).forEach((answer) => answer());
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toBe(3);
    while (answers.length > 0) {
      answers.shift()!();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(begun).toBe(5);
    await Promise.all(all);
  });

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

const { signal } = new AbortController();

/** Begins work of each turn in this order; says what is in flight whenever something begins. */
function begin(turns: ReturnType<typeof createTurns>, order: readonly Turn[]) {
  const inFlight: Turn[] = [];
  const seen: string[] = [];
  const ends: (() => void)[] = [];
  const all = order.map((turn) =>
    turns.take(turn, signal, async () => {
      inFlight.push(turn);
      seen.push(inFlight.toSorted().join('+'));
      await new Promise<void>((resolve) => ends.push(resolve));
      inFlight.splice(inFlight.indexOf(turn), 1);
    }),
  );
  const endAll = async (): Promise<void> => {
    while (seen.length < order.length || inFlight.length > 0) {
      for (const end of ends.splice(0)) end();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
  };
  return { seen, endAll };
}

it('requests to the base model and to adapters are in flight together, until they are separated', async () => {
  const turns = createTurns();
  const first = begin(turns, ['base', 'adapter', 'base']);
  await first.endAll();
  expect(first.seen).toEqual(['base', 'adapter+base', 'adapter+base+base']);
  turns.separate();
  const second = begin(turns, ['base', 'adapter', 'base', 'adapter']);
  await second.endAll();
  // All that wait for a turn begin together.
  expect(second.seen).toEqual(['base', 'adapter', 'adapter+adapter', 'base']);
});

it('a request alone waits for what is in flight, and what comes later waits for it', async () => {
  const turns = createTurns();
  const { seen, endAll } = begin(turns, ['base', 'adapter', 'alone', 'base', 'alone']);
  await endAll();
  expect(seen).toEqual(['base', 'adapter+base', 'alone', 'base', 'alone']);
});

it('a request that is stopped while it waits lets the others go on', async () => {
  const turns = createTurns();
  let end = (): void => undefined;
  const first = turns.take('base', signal, () => new Promise<void>((resolve) => (end = resolve)));
  const abort = new AbortController();
  const alone = turns.take('alone', abort.signal, async () => 'never');
  const later = turns.take('base', signal, async () => 'begun');
  abort.abort(new Error('the worker stops'));
  await expect(alone).rejects.toThrow('the worker stops');
  expect(await later).toBe('begun');
  end();
  await first;
});

it('work that fails gives its turn back', async () => {
  const turns = createTurns();
  await expect(turns.take('alone', signal, () => Promise.reject(new Error('refused')))).rejects.toThrow(
    'refused',
  );
  expect(await turns.take('alone', signal, async () => 'begun')).toBe('begun');
});
