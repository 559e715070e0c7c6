/** How many engines of a worker live at once, and for how long without work: each holds a whole model in memory. */
import { abortable, pause } from '../waiting.ts';
import type { EngineProcess } from './engine-process.ts';

export interface LiveEngines {
  /** How many live at most. */
  readonly most: number;
  /** For engines of whole models that were made here: they may need more room (`wholePlaces`), and share it with the others. */
  readonly ofWholeModels: Omit<LiveEngines, 'ofWholeModels'>;
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
  /** How many places a whole model that was made here takes. 1 by default. */
  readonly wholePlaces?: number;
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
  wholePlaces = 1,
  lingerMs = 300,
  idleMs = 600_000,
}: LiveEnginesOptions = {}): LiveEngines {
  /** In order of use, the latest last. One whose process is ending still counts. */
  const live = new Map<LiveEngine, Life>();
  /** The timers that end the engines that rest. */
  const resting = new Map<LiveEngine, NodeJS.Timeout>();
  let change = createChange();
  /** The uses that wait for a place, in the order in which they came. */
  const queue: object[] = [];

  function changed(): void {
    change.happen();
    change = createChange();
  }

  async function end(engine: LiveEngine, life: Life, how = () => engine.end()): Promise<void> {
    life.ending = true;
    // It may live again by then.
    clearTimeout(life.idle);
    // What stays of an engine that could not be ended is ended with the worker.
    await how().catch(() => undefined);
    live.delete(engine);
    changed();
  }

  async function makeRoom(engine: LiveEngine, life: Life): Promise<void> {
    const { rest } = engine;
    if (rest === undefined) return end(engine, life);
    resting.set(engine, setTimeout(() => void engine.end().catch(() => undefined), idleMs).unref());
    return end(engine, life, rest);
  }

  /** Undefined when there is no place for it now. */
  function enter(engine: LiveEngine, places: number): Life | undefined {
    const known = live.get(engine);
    const taken = [...live.values()].reduce((sum, life) => sum + life.places, 0);
    if (known?.ending || (known === undefined && taken + places > most)) return undefined;
    const life = known ?? { places, users: 0, ending: false, idle: undefined, workedUntil: 0 };
    clearTimeout(life.idle);
    clearTimeout(resting.get(engine));
    life.users += 1;
    live.delete(engine);
    live.set(engine, life);
    return life;
  }

  async function place(engine: LiveEngine, places: number, signal: AbortSignal): Promise<Life> {
    // A use of a live engine begins at once. A new engine waits behind those that came before it, as a whole model may need several places.
    const turn = {};
    const isFirst = (): boolean => queue.length === 0 || queue[0] === turn;
    const mayEnter = (): boolean => live.has(engine) || isFirst();
    const life = mayEnter() ? enter(engine, places) : undefined;
    if (life !== undefined) return life;
    queue.push(turn);
    try {
      for (;;) {
        await placeMayBeFree(signal);
        const entered = mayEnter() ? enter(engine, places) : undefined;
        if (entered !== undefined) return entered;
      }
    } finally {
      const next = isFirst();
      queue.splice(queue.indexOf(turn), 1);
      if (next) changed();
    }
  }

  /** Ends the engine that has been without work for longest, or waits until something has changed. */
  async function placeMayBeFree(signal: AbortSignal): Promise<void> {
    const unused = [...live].find(([, { users, ending }]) => users === 0 && !ending);
    const noneEnds = ![...live.values()].some(({ ending }) => ending);
    if (noneEnds && unused !== undefined) {
      const [, { workedUntil }] = unused;
      const lingers = workedUntil + lingerMs - Date.now();
      if (lingers > 0) return abortable(Promise.race([change.happened, pause(lingers, signal)]), signal);
      void makeRoom(...unused);
    }
    await abortable(change.happened, signal);
  }

  const enginesOf = (places: number): Omit<LiveEngines, 'ofWholeModels'> => ({
    most: Math.floor(most / places),
    async use(engine, signal, work) {
      const life = await place(engine, places, signal);
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
  });
  return { ...enginesOf(1), ofWholeModels: enginesOf(Math.min(wholePlaces, most)) };
}

type Life = {
  /** How many places it takes. */
  readonly places: number;
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
