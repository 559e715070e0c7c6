/** How long to wait before asking a busy server again. */

/**
 * Milliseconds until the next try: the server's own `retry-after` (seconds or an HTTP date) where it gives one, else 0.5 s
 * doubling with each try up to 60 s. Up to a tenth is added by chance, lest all that wait come back at once.
 */
export function retryDelay(retryAfter: string | undefined, attempt: number, now = Date.now()): number {
  const asked = parseRetryAfter(retryAfter, now);
  const delay = asked ?? Math.min(60_000, 500 * 2 ** attempt);
  return delay * (1 + Math.random() / 10);
}

function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
