import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { EngineClosed } from '../../src/engines/errors.ts';
import { createEnginePool } from '../../src/engines/process/engine-pool.ts';
import type { EngineProcess, RunningEngine, Serving } from '../../src/engines/process/engine-process.ts';
import type { ExitStatus, ProcessGroup } from '../../src/engines/process/process-group.ts';
import { supervise } from '../../src/engines/process/supervisor.ts';

const { signal } = new AbortController();

/** A process that is ready at once, or that starts until it is closed. */
function engine(starts: 'at once' | 'never'): EngineProcess {
  const ended = new Promise<never>(() => undefined);
  const running: RunningEngine = { url: '', memory: 1, pid: 1, ended, answered: () => undefined };
  let close = (): void => undefined;
  const never = new Promise<never>((_, reject) => (close = () => reject(new EngineClosed('the model'))));
  never.catch(() => undefined);
  return {
    ready: () => (starts === 'never' ? never : Promise.resolve(running)),
    running: async () => running,
    end: async () => undefined,
    close: async () => close(),
  };
}

it('a pool that was ended while a process started grows again later', async () => {
  vi.useFakeTimers();
  try {
    const started: EngineProcess[] = [];
    const start = (): EngineProcess => {
      const process = engine(started.length === 1 ? 'never' : 'at once');
      started.push(process);
      return process;
    };
    const pool = createEnginePool(start, { most: () => 2, busyMs: 1_000 });
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const requests = Array.from({ length: 17 }, () => pool.use(signal, () => finished));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(started).toHaveLength(2);
    await pool.end();
    await vi.advanceTimersByTimeAsync(1_500);
    expect(started).toHaveLength(3);
    finish();
    await Promise.all(requests);
    await pool.close();
  } finally {
    vi.useRealTimers();
  }
});

it('a pool with much to answer starts a second process as soon as the first, which takes long to start, is ready', async () => {
  vi.useFakeTimers();
  try {
    let started = 0;
    let isReady = (): void => undefined;
    const ready = new Promise<void>((resolve) => (isReady = resolve));
    const start = (): EngineProcess => {
      started += 1;
      const process = engine('at once');
      return { ...process, ready: (aborted) => ready.then(() => process.ready(aborted)) };
    };
    const pool = createEnginePool(start, { most: () => 2, busyMs: 1_000 });
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const requests = Array.from({ length: 17 }, () => pool.use(signal, () => finished));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(started).toBe(1);
    isReady();
    await vi.advanceTimersByTimeAsync(1);
    expect(started).toBe(2);
    finish();
    await Promise.all(requests);
    await pool.close();
  } finally {
    vi.useRealTimers();
  }
});

it('a pool that is ended while its first process starts does not start it again for requests that are no more', async () => {
  vi.useFakeTimers();
  try {
    let starts = 0;
    const exits: (() => void)[] = [];
    /** A supervised process that never becomes ready. */
    const start = (): EngineProcess =>
      supervise<Serving>({
        name: 'the model',
        graceMs: 1,
        start: async () => {
          starts += 1;
          let exit = (): void => undefined;
          const exited = new Promise<ExitStatus>(
            (resolve) => (exit = () => resolve({ code: 0, signal: null })),
          );
          exits.push(exit);
          const log = { file: '', lines: () => [], ending: () => '' };
          return { pid: starts, exited, log, stop: async () => exit() } as unknown as ProcessGroup;
        },
        untilReady: async ({ exited }) => exited.then(() => undefined),
      });
    const pool = createEnginePool(start, { most: () => 2, busyMs: 1_000 });
    const cancelling = new AbortController();
    const requests = Array.from({ length: 17 }, () => pool.use(cancelling.signal, async () => undefined));
    await vi.advanceTimersByTimeAsync(1_500);
    expect(starts).toBe(1);
    cancelling.abort(new Error('cancelled'));
    await Promise.allSettled(requests);
    await pool.end();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(starts).toBe(1);
    await pool.close();
  } finally {
    vi.useRealTimers();
  }
});

it('a pool that many requests end at once ends the process that they mean, and not the next one', async () => {
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const end = vi.fn<EngineProcess['end']>(() => stopped);
  const pool = createEnginePool(() => ({ ...engine('at once'), end }), { most: () => 1 });
  const first = await pool.use(signal, async (running) => running);
  const ends = [pool.end(first), pool.end(first)];
  // The next one is there before the first one has stopped.
  await pool.use(signal, async () => undefined);
  ends.push(pool.end(first));
  stop();
  await Promise.all(ends);
  expect(end).toHaveBeenCalledTimes(1);
  await pool.close();
});

it('a conversation stays with the process that has its beginning, until another has much less to do', async () => {
  vi.useFakeTimers();
  try {
    const pool = createEnginePool(() => engine('at once'), { most: () => 2, busyMs: 1_000 });
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const asked: Promise<void>[] = [];
    /** The process that gets a request, which it has until all finish. */
    const ask = (conversation?: string): Promise<RunningEngine> =>
      new Promise((resolve) => {
        const work = (running: RunningEngine): Promise<void> => {
          resolve(running);
          return finished;
        };
        asked.push(pool.use(signal, work, conversation));
      });
    const first = await ask();
    for (let requests = 1; requests < 20; requests += 1) await ask();
    await vi.advanceTimersByTimeAsync(1_500);
    // The second process has nothing to do: it gets all new conversations, and keeps the one that it has for a while after it has caught up.
    const second = await ask('a');
    expect(second).not.toBe(first);
    for (let requests = 1; requests < 20; requests += 1) await ask();
    expect(await ask('b')).toBe(first);
    for (let requests = 0; requests < 7; requests += 1) expect(await ask('a')).toBe(second);
    // Now the second process has 27 requests, and the first one 21.
    expect(await ask('a')).toBe(first);
    finish();
    await Promise.all(asked);
    await pool.close();
  } finally {
    vi.useRealTimers();
  }
});

it('keeps no text of the conversations that it knows', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const pool = createEnginePool(() => engine('at once'), { most: () => 1 });
  const before = held();
  for (let count = 0; count < 200; count += 1)
    await pool.use(signal, async () => undefined, JSON.stringify([count, 'x'.repeat(500_000)]));
  expect(held() - before).toBeLessThan(20_000_000);
  await pool.close();
});

it('a conversation goes on with another process when its own has died', async () => {
  vi.useFakeTimers();
  try {
    const deaths: (() => void)[] = [];
    const pool = createEnginePool(
      () => {
        const ended = new Promise<never>((resolve) => deaths.push(resolve as () => void));
        const running = { url: '', memory: 1, pid: deaths.length, ended, answered: () => undefined };
        return { ...engine('at once'), ready: async () => running };
      },
      { most: () => 2, busyMs: 1_000 },
    );
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const busy = Array.from({ length: 17 }, () => pool.use(signal, () => finished));
    await vi.advanceTimersByTimeAsync(1_500);
    const ask = (): Promise<number> => pool.use(signal, async ({ pid }) => pid, 'a');
    expect([await ask(), await ask()]).toEqual([2, 2]);
    deaths[1]!();
    expect([await ask(), await ask()]).toEqual([1, 1]);
    finish();
    await Promise.all(busy);
    await pool.close();
  } finally {
    vi.useRealTimers();
  }
});
