/**
 * Waits for a condition by looking again and again; fails with `what` after `timeoutMs`. A look often asks a worker or a server, so it
 * is taken less often when the condition takes long: every 25 ms at first, every 100 ms in the end.
 */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  timeoutMs = 30_000,
): Promise<Value> {
  const end = Date.now() + timeoutMs;
  for (let pauseMs = 25; ; pauseMs = Math.min(100, pauseMs * 1.1)) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs / 1000} s in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
