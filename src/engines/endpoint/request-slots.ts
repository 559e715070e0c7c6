/** How many requests a server has in flight: they take slots in order of arrival. */
import pLimit from 'p-limit';
import { onAbort } from '../abort.ts';

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

export function createRequestSlots(count: number): RequestSlots {
  const limit = pLimit(count);
  let underWay = 0;
  let closed: { readonly untilOpen: Promise<void>; readonly open: () => void } | undefined;
  let noneUnderWay: (() => void) | undefined;

  async function begin<Result>(work: () => Promise<Result>): Promise<Result> {
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
      if (underWay === 0) noneUnderWay?.();
    }
  }

  async function untilOpen(signal: AbortSignal): Promise<void> {
    await closed?.untilOpen;
    // It may have been closed again meanwhile.
    if (closed !== undefined && !signal.aborted) await untilOpen(signal);
  }

  return {
    count,
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
      if (underWay > 0) await new Promise<void>((resolve) => (noneUnderWay = resolve));
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
