/** Turns at a server: so many at once, in order of arrival. */
import pLimit from 'p-limit';
import { onAbort } from '../abort.ts';

/**
 * How long a turn rests when its work was stopped. What stops one shard (a worker's end, a cancellation, a pause, a reset) stops
 * others too, but tells them one after another: at a shutdown within moments, otherwise by their heartbeats, of which a worker
 * sends one in 2 s (start-workers.ts). A turn passed on at once would be given to the next that is stopped, and its answer lost too.
 */
const restMs = 3_000;

/** Does `work` when its turn has come. Throws the signal's reason when it is aborted before that. */
export type Turn = <Result>(work: () => Promise<Result>, signal: AbortSignal) => Promise<Result>;

/** Gives `atOnce` turns at a time. However many are stopped, so many answers are lost at most. */
export function createTurns(atOnce: number): Turn {
  const limit = pLimit(atOnce);
  return (work, signal) =>
    new Promise((resolve, reject) => {
      // An abort's reason is whatever the caller gave; it is handed on untouched.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      const stopListening = onAbort(signal, () => reject(signal.reason));
      void limit(async () => {
        if (signal.aborted) return;
        stopListening();
        const done = work();
        resolve(done);
        try {
          await done;
        } catch {
          // Whoever took the turn is told; here it counts only whether it was stopped.
          if (signal.aborted) await rest();
        }
      });
    });
}

/** Keeps no process alive. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, restMs).unref());
}
