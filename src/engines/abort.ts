type Call = { readonly fn: () => void };
type Waiting = { readonly calls: Set<Call>; readonly listener: () => void };
const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `fn` once when `signal` is aborted, at once if it is aborted already. Returns a function that undoes this. One signal
 * ends hundreds of requests here: they share one listener, because adding one looks through all that the signal has.
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
    // A signal that was made of others is not garbage-collected as long as it has a listener.
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
