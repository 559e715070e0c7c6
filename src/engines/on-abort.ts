import { setMaxListeners } from 'node:events';

/**
 * Calls `fn` once when `signal` is aborted, at once when it is already; returns what undoes that. One signal ends hundreds of requests here, which is
 * meant: without this Node would take that many listeners for a leak and say so.
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  // The event stays here: a `resolve` given as `fn` would otherwise resolve with it.
  const listener = (): void => fn();
  if (signal.aborted) fn();
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
