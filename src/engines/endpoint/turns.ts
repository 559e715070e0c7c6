/** Which requests may a server have in flight together: those to the base model with those to its adapters, or not? */
import { onAbort } from '../abort.ts';

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
