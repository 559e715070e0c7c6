/** How many engines of a worker live at once, and for how long without work: each holds a whole model in memory. */
import { abortable, pause } from '../abort.ts';
import type { EngineProcess } from './engine-process.ts';

export interface LiveEngines {
  /** How many live at most. */
  readonly most: number;
  /**
   * Does `work`, for which `engine` may live. When no more may live, the idle one that was used longest ago rests or is ended
   * first; when all have work, this waits until one has done all of its work.
   *
   * @throws what `work` throws; the signal's reason
   */
  use<Result>(engine: LiveEngine, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
}

/** What serves a model: all processes of it count as one. */
export type LiveEngine = Pick<EngineProcess, 'end' | 'rest'>;

export interface LiveEnginesOptions {
  /** How many live at most. 1 by default. */
  readonly most?: number;
  /**
   * How long one without work keeps its place from others that wait. Shards begin one after another, so the next requests for it may be
   * about to come. Milliseconds; 300 by default.
   */
  readonly lingerMs?: number;
  /** How long one lives or rests without work. Milliseconds; 10 minutes by default. */
  readonly idleMs?: number;
}

export function createLiveEngines({
  most = 1,
  lingerMs = 300,
  idleMs = 600_000,
}: LiveEnginesOptions = {}): LiveEngines {
  /** In order of use, the latest last. One whose process is ending still counts. */
  const live = new Map<LiveEngine, Life>();
  /** What ends those that rest. */
  const resting = new Map<LiveEngine, NodeJS.Timeout>();
  let change = createChange();

  function changed(): void {
    change.happen();
    change = createChange();
  }

  async function end(engine: LiveEngine, life: Life, how = () => engine.end()): Promise<void> {
    life.ending = true;
    // What stays of an engine that could not be ended is ended with the worker.
    await how().catch(() => undefined);
    live.delete(engine);
    changed();
  }

  async function makeRoom(engine: LiveEngine, life: Life): Promise<void> {
    const { rest } = engine;
    if (rest === undefined) return end(engine, life);
    const timer = setTimeout(() => void engine.end().catch(() => undefined), idleMs).unref();
    resting.set(engine, timer);
    return end(engine, life, rest);
  }

  /** Undefined when there is no place for it now. */
  function enter(engine: LiveEngine): Life | undefined {
    const known = live.get(engine);
    if (known?.ending || (known === undefined && live.size >= most)) return undefined;
    const life = known ?? { users: 0, ending: false, idle: undefined, workedUntil: 0 };
    clearTimeout(life.idle);
    clearTimeout(resting.get(engine));
    life.users += 1;
    live.delete(engine);
    live.set(engine, life);
    return life;
  }

  async function place(engine: LiveEngine, signal: AbortSignal): Promise<Life> {
    for (;;) {
      const life = enter(engine);
      if (life !== undefined) return life;
      const unused = [...live].find(([, { users, ending }]) => users === 0 && !ending);
      const noneEnds = ![...live.values()].some(({ ending }) => ending);
      if (noneEnds && unused !== undefined) {
        const [, { workedUntil }] = unused;
        const lingers = workedUntil + lingerMs - Date.now();
        if (lingers > 0) {
          await abortable(Promise.race([change.happened, pause(lingers, signal)]), signal);
          continue;
        }
        void makeRoom(...unused);
      }
      await abortable(change.happened, signal);
    }
  }

  return {
    most,
    async use(engine, signal, work) {
      const life = await place(engine, signal);
      try {
        return await work();
      } finally {
        life.users -= 1;
        if (life.users === 0) {
          life.workedUntil = Date.now();
          life.idle = setTimeout(() => void end(engine, life), idleMs).unref();
          changed();
        }
      }
    },
  };
}

type Life = {
  /** How much work it has. */
  users: number;
  ending: boolean;
  /** Milliseconds since 1970. */
  workedUntil: number;
  /** Ends it when it has had no work for long. */
  idle: NodeJS.Timeout | undefined;
};

function createChange(): { readonly happened: Promise<void>; readonly happen: () => void } {
  let happen = (): void => undefined;
  const happened = new Promise<void>((resolve) => (happen = resolve));
  return { happened, happen: () => happen() };
}
