import { describe, expect, it } from 'vitest';
import { abortable, pause } from '../../src/engines/abort.ts';

const never = new Promise<never>(() => undefined);

describe('waiting that a signal can end', () => {
  it('gives the value, or the error, of what is waited for', async () => {
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(undefined), signal)).toBeUndefined();
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it.each(['before', 'during'])('throws the very reason of an abort %s the wait', async (when) => {
    const reason = { any: 'reason' };
    const abort = new AbortController();
    if (when === 'before') abort.abort(reason);
    const waits = [abortable(never, abort.signal), pause(1e6, abort.signal)];
    const checks = waits.map((wait) => expect(wait).rejects.toBe(reason));
    abort.abort(reason);
    await Promise.all(checks);
  });

  it('ends by itself after the time', async () => {
    await pause(1, new AbortController().signal);
  });
});
