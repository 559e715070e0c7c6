import { expect, it, vi } from 'vitest';
import type { EngineProcess } from '../../src/engines/process/engine-process.ts';
import { createLiveEngines } from '../../src/engines/process/live-engines.ts';

const { signal } = new AbortController();

/** An engine of which only the end counts. */
function engine(name: string, ended: string[]): EngineProcess {
  return {
    ready: () => expect.fail('nothing is started here'),
    running: async () => undefined,
    end: async () => void ended.push(name),
    close: async () => undefined,
  };
}

/** Work that goes on until it is finished. */
function work() {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  return { run: () => finished, finish: () => finish() };
}

it('the engine that was used longest ago and has no work is ended when another one is to live', async () => {
  const ended: string[] = [];
  const engines = createLiveEngines({ most: 2 });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => engine(name, ended)) as [
    EngineProcess,
    EngineProcess,
    EngineProcess,
  ];
  const idle = async () => 'done';
  for (const one of [a, b, a]) await engines.use(one, signal, idle);
  expect(ended).toEqual([]);
  expect(await engines.use(c, signal, idle)).toBe('done');
  expect(ended).toEqual(['b']);
  await engines.use(b, signal, idle);
  expect(ended).toEqual(['b', 'a']);
});

it('an engine of a whole model that takes all places lives alone', async () => {
  const ended: string[] = [];
  const engines = createLiveEngines({ most: 3, wholePlaces: 3, lingerMs: 0 });
  expect([engines.most, engines.ofWholeModels.most]).toEqual([3, 1]);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => engine(name, ended)) as [
    EngineProcess,
    EngineProcess,
    EngineProcess,
    EngineProcess,
  ];
  const [long, other] = [work(), work()];
  const bases = [engines.use(a, signal, long.run), engines.use(b, signal, async () => 'done')];
  await bases[1];
  const whole = engines.ofWholeModels.use(c, signal, other.run);
  long.finish();
  await bases[0];
  const last = engines.use(d, signal, async () => ended.push('d works'));
  other.finish();
  await Promise.all([whole, last]);
  expect(ended).toEqual(['b', 'a', 'c', 'd works']);
});

it('an engine waits while all that live have work, or until its own signal ends', async () => {
  const ended: string[] = [];
  const engines = createLiveEngines({ most: 1 });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => engine(name, ended)) as [
    EngineProcess,
    EngineProcess,
    EngineProcess,
  ];
  const long = work();
  const first = engines.use(a, signal, long.run);
  const second = engines.use(b, signal, async () => ended.push('b works'));
  const leaving = new AbortController();
  const third = engines.use(c, leaving.signal, async () => ended.push('c works'));
  leaving.abort(new Error('no longer wanted'));
  await expect(third).rejects.toThrow('no longer wanted');
  expect(ended).toEqual([]);
  long.finish();
  await Promise.all([first, second]);
  expect(ended).toEqual(['a', 'b works']);
});

it('an engine without work ends after the stated time, and lives on while it has work', async () => {
  vi.useFakeTimers();
  try {
    const ended: string[] = [];
    const engines = createLiveEngines({ idleMs: 1_000 });
    const a = engine('a', ended);
    const long = work();
    const first = engines.use(a, signal, long.run);
    await engines.use(a, signal, async () => undefined);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ended).toEqual([]);
    long.finish();
    await first;
    await vi.advanceTimersByTimeAsync(900);
    await engines.use(a, signal, async () => undefined);
    await vi.advanceTimersByTimeAsync(900);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toEqual(['a']);
  } finally {
    vi.useRealTimers();
  }
});

it('an engine that has made room and lives again is not ended by the time without work of before', async () => {
  vi.useFakeTimers();
  try {
    const ended: string[] = [];
    const engines = createLiveEngines({ most: 1, lingerMs: 0, idleMs: 1_000 });
    const [a, b] = ['a', 'b'].map((name) => engine(name, ended)) as [EngineProcess, EngineProcess];
    for (const one of [a, b]) await engines.use(one, signal, async () => undefined);
    const long = work();
    const again = engines.use(a, signal, long.run);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ended).toEqual(['a', 'b']);
    long.finish();
    await again;
  } finally {
    vi.useRealTimers();
  }
});

it('an engine whose next request comes at once keeps its place from one that waits', async () => {
  vi.useFakeTimers();
  try {
    const ended: string[] = [];
    const engines = createLiveEngines({ most: 1, lingerMs: 100 });
    const [a, b] = ['a', 'b'].map((name) => engine(name, ended)) as [EngineProcess, EngineProcess];
    const first = work();
    const again = work();
    const began = engines.use(a, signal, first.run);
    const other = engines.use(b, signal, async () => ended.push('b works'));
    first.finish();
    await began;
    await vi.advanceTimersByTimeAsync(90);
    const next = engines.use(a, signal, again.run);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ended).toEqual([]);
    again.finish();
    await next;
    await vi.advanceTimersByTimeAsync(100);
    await other;
    expect(ended).toEqual(['a', 'b works']);
  } finally {
    vi.useRealTimers();
  }
});
