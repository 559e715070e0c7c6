type Call = { readonly fn: () => void };
type Waiting = { readonly calls: Set<Call>; readonly listener: () => void };
const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `fn` once when `signal` is aborted, at once when it is already; returns what undoes that. One signal ends hundreds of
 * requests here: they share one listener, as one for each would cost more than all else that a request does itself.
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  if (signal.aborted) {
    fn();
    return () => undefined;
  }
  const { calls, listener } = waiting.get(signal) ?? listen(signal);
  // An object of its own, as `fn` may be there twice.
  const call = { fn };
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0) return;
    // A signal made of others is kept from the garbage collector as long as somebody listens.
    signal.removeEventListener('abort', listener);
    waiting.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const calls = new Set<Call>();
  const listener = (): void => {
    for (const { fn } of calls) fn();
  };
  signal.addEventListener('abort', listener, { once: true });
  const listening = { calls, listener };
  waiting.set(signal, listening);
  return listening;
}

/** Waiting that a signal can end. The reason is thrown as it is, so that Temporal sees its own CancelledFailure. */
/** `promise`, or the signal's reason as soon as it is aborted. What `promise` stands for goes on regardless. */
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

/** Resolves after `ms` milliseconds; throws the signal's reason when it is aborted before. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await abortable(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), signal);
  } finally {
    clearTimeout(timer);
  }
}
