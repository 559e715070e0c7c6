/** Keeps fine-tunes and answers from using the GPU at the same time: a readers-writer gate in order of arrival. */
import { onAbort } from './abort.ts';
import type { Endpoint } from './endpoint/endpoint.ts';

export interface GpuGate {
  /**
   * Runs `fn` beside other shared work (answers), never beside exclusive work. Throws the signal's reason while waiting.
   *
   * @param options.asked the endpoints that `fn` asks: it runs at once when none of them is on the device of the fine-tunes
   * @param options.onWait called with the time since when `fn` waits for a fine-tune, and with undefined when it has waited
   */
  shared<T>(
    signal: AbortSignal,
    fn: () => Promise<T>,
    options?: {
      readonly asked?: readonly Pick<Endpoint, 'sharesDevice'>[];
      readonly onWait?: (since: Date | undefined) => void;
    },
  ): Promise<T>;
  /**
   * Runs `fn` alone (a fine-tune). Throws the signal's reason while waiting.
   *
   * @param needs `all memory`: no model that answers stays on the GPU meanwhile
   */
  exclusive<T>(signal: AbortSignal, fn: () => Promise<T>, needs?: 'all memory'): Promise<T>;
}

/** How long work waited. Milliseconds since 1970. */
export interface GateWait {
  readonly kind: Kind;
  readonly beganAt: number;
  readonly endedAt: number;
}

/**
 * Work enters in order of arrival, and shared work enters together only as far as no exclusive work came before it. So neither
 * kind can starve the other, whatever arrives.
 *
 * @param answering yields the GPU to each exclusive work, and takes it back afterwards
 */
export function createGpuGate(
  onEnter?: (wait: GateWait) => void,
  answering?: Pick<Endpoint, 'yieldDevice' | 'takeDevice'>,
): GpuGate {
  /** How much shared work is inside; -1 when exclusive work is. */
  let inside = 0;
  const queue: Waiter[] = [];

  function admit(): void {
    for (let next = queue[0]; next !== undefined && mayEnter(next.kind); next = queue[0]) {
      queue.shift();
      inside = next.kind === 'exclusive' ? -1 : inside + 1;
      next.enter();
    }
  }

  function mayEnter(kind: Kind): boolean {
    return kind === 'exclusive' ? inside === 0 : inside >= 0;
  }

  function leave(): void {
    inside = inside === -1 ? 0 : inside - 1;
    admit();
  }

  /** @param onWait called when it cannot enter at once */
  async function enter(kind: Kind, signal: AbortSignal, onWait: () => void): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        queue.splice(queue.indexOf(waiter), 1);
        // An abort's reason is whatever the caller gave; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(signal.reason);
        // Work behind it may have waited only for this.
        admit();
      });
      const waiter: Waiter = {
        kind,
        enter: () => {
          stopListening();
          resolve();
        },
      };
      queue.push(waiter);
      admit();
      if (queue.includes(waiter)) onWait();
    });
  }

  async function run<T>(
    kind: Kind,
    signal: AbortSignal,
    fn: () => Promise<T>,
    onWait?: (since: Date | undefined) => void,
  ): Promise<T> {
    const beganAt = Date.now();
    let waited = false;
    await enter(kind, signal, () => {
      waited = true;
      onWait?.(new Date(beganAt));
    });
    if (waited) onWait?.(undefined);
    onEnter?.({ kind, beganAt, endedAt: Date.now() });
    try {
      return await fn();
    } finally {
      leave();
    }
  }

  return {
    async shared(signal, fn, { asked, onWait } = {}) {
      const shares =
        asked === undefined ? [true] : await Promise.all(asked.map((each) => each.sharesDevice()));
      return shares.includes(true) ? run('shared', signal, fn, onWait) : fn();
    },
    exclusive: (signal, fn, needs) =>
      run('exclusive', signal, async () => {
        try {
          await answering?.yieldDevice(needs === 'all memory');
          return await fn();
        } finally {
          await answering?.takeDevice();
        }
      }),
  };
}

type Kind = 'shared' | 'exclusive';
interface Waiter {
  readonly kind: Kind;
  readonly enter: () => void;
}
