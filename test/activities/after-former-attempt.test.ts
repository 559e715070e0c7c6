import { describe, expect, it } from 'vitest';
import { afterFormerAttempt } from '../../src/activities/after-former-attempt.ts';

const never = new AbortController().signal;

/** An attempt that goes on until it is told to stop. */
function attempt() {
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  let began = false;
  const work = async () => {
    began = true;
    await stopped;
  };
  return { work, stop: () => stop(), began: () => began };
}

/** Long enough for all that waits for nothing outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('another attempt at a shard', () => {
  it('begins when the former has stopped, however it ended', async () => {
    const [first, second, third] = [attempt(), attempt(), attempt()];
    const all = [first, second, third].map(({ work }) => afterFormerAttempt('a', never, work));
    const failing = afterFormerAttempt('b', never, () => Promise.reject(new Error('lost')));
    await expect(failing).rejects.toThrow('lost');
    expect([first.began(), second.began(), third.began()]).toEqual([true, false, false]);
    first.stop();
    await settled();
    expect([second.began(), third.began()]).toEqual([true, false]);
    second.stop();
    third.stop();
    await Promise.all(all);
    expect(await afterFormerAttempt('b', never, async () => 'an answer')).toBe('an answer');
  });

  it('begins at once with another shard', async () => {
    const [first, second] = [attempt(), attempt()];
    const all = [afterFormerAttempt('c', never, first.work), afterFormerAttempt('d', never, second.work)];
    expect(second.began()).toBe(true);
    first.stop();
    second.stop();
    await Promise.all(all);
  });

  it('that is told to stop while it waits does so, and the next one still waits for the first', async () => {
    const [first, second, third] = [attempt(), attempt(), attempt()];
    const stop = new AbortController();
    const one = afterFormerAttempt('e', never, first.work);
    const two = afterFormerAttempt('e', stop.signal, second.work);
    stop.abort(new Error('told to stop'));
    await expect(two).rejects.toThrow('told to stop');
    const three = afterFormerAttempt('e', never, third.work);
    await settled();
    expect([second.began(), third.began()]).toEqual([false, false]);
    first.stop();
    third.stop();
    await Promise.all([one, three]);
    expect(third.began()).toBe(true);
  });
});
