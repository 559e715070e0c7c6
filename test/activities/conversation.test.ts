import { describe, expect, it } from 'vitest';
import { allOrFirstFailure, createAdmission, type Need } from '../../src/activities/asking/conversation.ts';
import { onAbort } from '../../src/engines/waiting.ts';
import { ClaimLost } from '../../src/store/errors.ts';

const never = new AbortController().signal;
/** 100 answers of one token of four bytes, in one dialogue. */
const of400Bytes: Need = { endpoint: 'a', slots: 100, answers: 100, maxTokens: 1, copies: 1 };

/** Asks for room for each need, and gives what has begun, in order, and what ends each. */
function asked(room: number, needs: readonly Need[], signal: AbortSignal = never) {
  const admission = createAdmission(room);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = needs.map(async (need, index) =>
    admission.admit(need, signal, async () => {
      begun.push(index);
      await new Promise<void>((resolve) => (ends[index] = resolve));
    }),
  );
  return { admission, begun, end: (index: number) => ends[index]?.(), all };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('debates are admitted', () => {
  it('while there is room for their bytes, in order of arrival', async () => {
    const { begun, end } = asked(1000, [of400Bytes, of400Bytes, of400Bytes, { ...of400Bytes, answers: 1 }]);
    await settled();
    expect(begun).toEqual([0, 1]);
    end(1);
    await settled();
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it('alone when they need more than the whole room', async () => {
    const { begun, end } = asked(10, [of400Bytes, of400Bytes]);
    await settled();
    expect(begun).toEqual([0]);
    end(0);
    await settled();
    expect(begun).toEqual([0, 1]);
  });

  it('as many as keep their endpoint busy: others are not kept waiting by them', async () => {
    const one = { ...of400Bytes, slots: 1 };
    const { begun } = asked(10_000, [one, one, one, { ...one, endpoint: 'b' }]);
    await settled();
    expect(begun).toEqual([0, 1, 3]);
  });

  it('by the length of the answers that came, when these are longer than was asked for', async () => {
    const { admission, begun, end } = asked(1000, [of400Bytes, of400Bytes, of400Bytes, of400Bytes]);
    await settled();
    admission.sawAnswer('x'.repeat(5));
    end(0);
    end(1);
    await settled();
    expect(begun).toEqual([0, 1, 2]);
  });

  it('no more once they are stopped, and those that failed leave their room', async () => {
    const stop = new AbortController();
    const { begun, all } = asked(500, [of400Bytes, of400Bytes], stop.signal);
    await settled();
    stop.abort(new Error('stopped'));
    await expect(all[1]).rejects.toThrow('stopped');
    expect(begun).toEqual([0]);
    const { admission } = asked(500, []);
    await expect(
      admission.admit(of400Bytes, never, () => Promise.reject(new Error('refused'))),
    ).rejects.toThrow();
    await admission.admit(of400Bytes, never, async () => undefined);
  });
});

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
