import { setMaxListeners } from 'node:events';

/**
 * Calls `fn` once when `signal` is aborted; returns what undoes that. One signal ends hundreds of requests here, which is
 * meant: without this Node would take that many listeners for a leak and say so.
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  setMaxListeners(0, signal);
  signal.addEventListener('abort', fn, { once: true });
  return () => signal.removeEventListener('abort', fn);
}
