/** Keeps fine-tunes and answers from using the GPU at the same time: a gate for two groups, in order of arrival. */
import { onAbort } from './waiting.ts';
import type { Endpoint } from './endpoint/endpoint.ts';

export interface GpuGate {
  /**
   * Runs `fn` (answers) beside other answers, never beside a fine-tune. Throws the signal's reason while waiting.
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
   * Runs `fn` (a fine-tune) without answers beside it. Throws the signal's reason while waiting. Fine-tunes may run side by side: how many do, their
   * trainer decides.
   *
   * @param needs `all memory`: no model that answers stays on the GPU meanwhile
   */
  exclusive<T>(signal: AbortSignal, fn: () => Promise<T>, needs?: 'all memory'): Promise<T>;
}

/** How long work waited. Milliseconds since 1970. */
export interface GateWait {
  readonly kind: 'shared' | 'exclusive';
  readonly beganAt: number;
  readonly endedAt: number;
}

/**
 * Work enters in order of arrival, and work of one group enters together only as far as no other came before it. So no group can starve
 * another one, whatever arrives.
 *
 * @param answering yields the GPU to the first fine-tune that enters, and takes it back after the last one that leaves
 */
export function createGpuGate(
  onEnter?: (wait: GateWait) => void,
  answering?: Pick<Endpoint, 'yieldDevice' | 'takeDevice'>,
): GpuGate {
  let inside = 0;
  /** The group of the work that is inside; meaningless when there is none. */
  let group: Group = 'answers';
  /** Settles when those who answer have left the GPU to the fine-tunes that are inside. */
  let yielded: Promise<void> | undefined;
  let takingBack = false;
  const queue: Waiter[] = [];

  function admit(): void {
    for (let next = queue[0]; next !== undefined && mayEnter(next.group); next = queue[0]) {
      queue.shift();
      inside += 1;
      group = next.group;
      next.enter();
    }
  }

  function mayEnter(asking: Group): boolean {
    return !takingBack && (inside === 0 || asking === group);
  }

  /** The last fine-tune that leaves has those who answer take the device back. Several may leave in the same moment. */
  async function leave(): Promise<void> {
    inside -= 1;
    try {
      if (inside > 0 || yielded === undefined) return;
      yielded = undefined;
      takingBack = true;
      await answering?.takeDevice();
    } finally {
      takingBack = false;
      admit();
    }
  }

  /** @param onWait called when it cannot enter at once */
  async function enter(asking: Group, signal: AbortSignal, onWait: () => void): Promise<void> {
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
        group: asking,
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
    asking: Group,
    signal: AbortSignal,
    fn: () => Promise<T>,
    onWait?: (since: Date | undefined) => void,
  ): Promise<T> {
    const beganAt = Date.now();
    let waited = false;
    await enter(asking, signal, () => {
      waited = true;
      onWait?.(new Date(beganAt));
    });
    if (waited) onWait?.(undefined);
    onEnter?.({ kind: asking === 'answers' ? 'shared' : 'exclusive', beganAt, endedAt: Date.now() });
    try {
      return await fn();
    } finally {
      await leave();
    }
  }

  /** Runs a fine-tune that is inside, on the device that the first of its group had those who answer leave. */
  async function onDevice<T>(fn: () => Promise<T>, allMemory: boolean): Promise<T> {
    yielded ??= Promise.resolve(answering?.yieldDevice(allMemory));
    await yielded;
    return fn();
  }

  return {
    async shared(signal, fn, { asked, onWait } = {}) {
      const shares =
        asked === undefined ? [true] : await Promise.all(asked.map((each) => each.sharesDevice()));
      return shares.includes(true) ? run('answers', signal, fn, onWait) : fn();
    },
    exclusive(signal, fn, needs) {
      const allMemory = needs === 'all memory';
      const asking = allMemory ? 'fine-tunes that need all memory' : 'fine-tunes';
      return run(asking, signal, () => onDevice(fn, allMemory));
    },
  };
}

/** Work of one group may be inside together. */
type Group = 'answers' | 'fine-tunes' | 'fine-tunes that need all memory';
type Waiter = { readonly group: Group; readonly enter: () => void };
