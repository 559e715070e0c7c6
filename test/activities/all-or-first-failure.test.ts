import { describe, expect, it } from 'vitest';
import { allOrFirstFailure } from '../../src/activities/asking/conversation.ts';
import { onAbort } from '../../src/engines/waiting.ts';
import { ClaimLost } from '../../src/store/errors.ts';

const never = new AbortController().signal;

describe('questions of a shard, debated at once,', () => {
  it('are stopped by the first failure, and have stopped when it is thrown', async () => {
    let stopped = 0;
    const work = (item: number, stop: AbortSignal) =>
      new Promise<number>((_, reject) => {
        if (item === 2) reject(new Error('refused'));
        onAbort(stop, () => {
          stopped += 1;
          reject(stop.reason as Error);
        });
      });
    await expect(allOrFirstFailure([1, 2, 3], never, work)).rejects.toThrow('refused');
    expect(stopped).toBe(3);
  });

  it('come to the end of what is in flight when the claim is lost', async () => {
    const ended: number[] = [];
    let answer = (): void => undefined;
    const inFlight = new Promise<void>((resolve) => (answer = resolve));
    const work = async (item: number, stop: AbortSignal) => {
      if (item === 1) throw new ClaimLost('a shard');
      await inFlight;
      stop.throwIfAborted();
      ended.push(item);
    };
    const all = allOrFirstFailure([1, 2, 3], never, work);
    answer();
    await expect(all).rejects.toThrow(ClaimLost);
    expect(ended).toEqual([2, 3]);
  });
});
