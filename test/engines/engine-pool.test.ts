import { expect, it, vi } from 'vitest';
import { EngineClosed } from '../../src/engines/errors.ts';
import { createEnginePool } from '../../src/engines/process/engine-pool.ts';
import type { EngineProcess, RunningEngine } from '../../src/engines/process/engine-process.ts';

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
