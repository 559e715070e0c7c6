/** How does work wait so that an abort ends the wait: for a promise, for a time, for a slot of a server, or for its turn? */
import pLimit from 'p-limit';

type Call = { readonly fn: () => void };
type Listening = { readonly calls: Set<Call>; readonly listener: () => void };
const listenings = new WeakMap<AbortSignal, Listening>();

/**
 * Calls `fn` once when `signal` is aborted, at once if it is aborted already. Returns a function that undoes this. One signal
 * ends hundreds of requests here: they share one listener, because adding one looks through all that the signal has.
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  if (signal.aborted) {
    fn();
    return () => undefined;
  }
  const { calls, listener } = listenings.get(signal) ?? listen(signal);
  // An object of its own, as `fn` may be there twice.
  const call = { fn };
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0) return;
    // A signal that was made of others is not garbage-collected as long as it has a listener.
    signal.removeEventListener('abort', listener);
    listenings.delete(signal);
  };
}

function listen(signal: AbortSignal): Listening {
  const calls = new Set<Call>();
  const listener = (): void => {
    for (const { fn } of calls) fn();
  };
  signal.addEventListener('abort', listener, { once: true });
  const listening = { calls, listener };
  listenings.set(signal, listening);
  return listening;
}

/**
 * `promise`, or a rejection with the signal's reason as soon as it is aborted: the reason itself, so that Temporal sees its own
 * CancelledFailure. The work behind `promise` goes on regardless.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stopListening = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    stopListening = onAbort(signal, resolve);
  });
  try {
    const first = await Promise.race([promise.then((value) => ({ value })), aborted]);
    if (first !== undefined) return first.value;
    signal.throwIfAborted();
    return await promise;
  } finally {
    stopListening();
  }
}

/** Resolves after `ms` milliseconds. Throws the signal's reason when it is aborted before that. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await abortable(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * How long a slot stays empty when its request was stopped. What stops one shard (a worker's end, a cancellation, a pause, a
 * reset) stops others too, but they learn of it one after another: at a shutdown within moments, otherwise by their heartbeats, of
 * which a worker sends one in 2 s (workers/start.ts). If a slot were freed at once, a request that is about to be stopped too would
 * take it, and its answer would be lost as well. Milliseconds.
 */
const emptyMs = 3_000;

export interface RequestSlots {
  /** How many requests are in flight at most: when requests are stopped, no more answers than this are lost. */
  readonly count: number;
  /** Does `work` when there is a slot for it. Throws the signal's reason when it is aborted before that. */
  use<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result>;
  /** Lets no further work begin. Resolves when none is under way. */
  close(): Promise<void>;
  /** Lets work begin again. */
  open(): void;
}

export interface ResizableSlots extends RequestSlots {
  /** Requests that wait begin at once in slots that are new. Where there are fewer, those that are taken stay so until their requests end. */
  resize(count: number): void;
}

/** Requests take slots in order of arrival. */
export function createRequestSlots(count: number): ResizableSlots {
  const limit = pLimit(count);
  let underWay = 0;
  let closed: { readonly untilOpen: Promise<void>; readonly open: () => void } | undefined;
  const noneUnderWay: (() => void)[] = [];

  async function begin<Result>(work: () => Promise<Result>): Promise<Result> {
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
      if (underWay === 0) for (const resolve of noneUnderWay.splice(0)) resolve();
    }
  }

  async function untilOpen(signal: AbortSignal): Promise<void> {
    await closed?.untilOpen;
    // It may have been closed again meanwhile.
    if (closed !== undefined && !signal.aborted) await untilOpen(signal);
  }

  return {
    get count() {
      return limit.concurrency;
    },
    resize(wanted) {
      if (limit.concurrency !== wanted) limit.concurrency = wanted;
    },
    use: (work, signal) =>
      new Promise((resolve, reject) => {
        // An abort's reason is whatever the caller gave; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        const stopListening = onAbort(signal, () => reject(signal.reason));
        void limit(async () => {
          if (closed !== undefined) await untilOpen(signal);
          if (signal.aborted) return;
          stopListening();
          const done = begin(work);
          resolve(done);
          try {
            await done;
          } catch {
            // The caller has the error; here only one thing counts: was the request stopped?
            if (signal.aborted) await stayEmpty();
          }
        });
      }),
    async close() {
      if (closed === undefined) {
        let open = (): void => undefined;
        const untilOpen = new Promise<void>((resolve) => (open = resolve));
        closed = { untilOpen, open };
      }
      if (underWay > 0) await new Promise<void>((resolve) => noneUnderWay.push(resolve));
    },
    open() {
      closed?.open();
      closed = undefined;
    },
  };
}

/** Keeps no process alive. */
function stayEmpty(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, emptyMs).unref());
}

/**
 * What a request is answered by. Beside `score`, a request for the log-probabilities of a prompt by the base model, there is none to an
 * adapter; beside `alone` there is no other at all.
 */
export type Turn = 'base' | 'adapter' | 'score' | 'alone';

export interface Turns {
  /** Does `work` when no request is in flight that must not be beside it. Throws the signal's reason when it is aborted before that. */
  take<Result>(turn: Turn, signal: AbortSignal, work: () => Promise<Result>): Promise<Result>;
  /** From now on requests to the base model and to adapters are never in flight together: they take turns. */
  separate(): void;
  readonly separated: boolean;
}

type Waiting = { readonly turn: Turn; readonly begin: () => void };

/** Requests to a base model and to its adapters take turns where a server mixes them up. */
export function createTurns(): Turns {
  const apart: (readonly [Turn, Turn])[] = [['score', 'adapter']];
  const inFlight: Record<Turn, number> = { base: 0, adapter: 0, score: 0, alone: 0 };
  let waiting: Waiting[] = [];

  const excludes = (one: Turn, other: Turn): boolean =>
    one === 'alone' ||
    other === 'alone' ||
    apart.some(([a, b]) => (one === a && other === b) || (one === b && other === a));
  const isFree = (turn: Turn): boolean =>
    turns.every((other) => inFlight[other] === 0 || !excludes(turn, other));

  /** All that wait for the turn of the first of them begin together, so that turns are few and long. */
  function next(): void {
    const first = waiting[0];
    if (first === undefined || !isFree(first.turn)) return;
    const beginning =
      first.turn === 'alone' ? [first] : waiting.filter(({ turn }) => !excludes(first.turn, turn));
    waiting = waiting.filter((each) => !beginning.includes(each));
    for (const { turn, begin } of beginning) {
      inFlight[turn] += 1;
      begin();
    }
  }

  function begun(turn: Turn, signal: AbortSignal): Promise<void> | undefined {
    // Who comes later does not overtake one that could not be beside it.
    if (isFree(turn) && !waiting.some((each) => excludes(turn, each.turn))) {
      inFlight[turn] += 1;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        waiting = waiting.filter((each) => each !== one);
        // An abort's reason is whatever the caller gave; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(signal.reason);
        next();
      });
      const one: Waiting = { turn, begin: () => (stopListening(), resolve()) };
      waiting.push(one);
    });
  }

  return {
    async take(turn, signal, work) {
      signal.throwIfAborted();
      await begun(turn, signal);
      try {
        return await work();
      } finally {
        inFlight[turn] -= 1;
        next();
      }
    },
    separate() {
      apart.push(['base', 'adapter']);
    },
    get separated() {
      return apart.length > 1;
    },
  };
}

const turns: readonly Turn[] = ['base', 'adapter', 'score', 'alone'];
