import { ClaimLost } from '../store/claim-lost.ts';

/**
 * Works on all items at once. After a failure the others are stopped, and have stopped before it is thrown. Whoever has lost its claim
 * begins nothing more by itself: what it has in flight is its successor's too, and comes to its end.
 */
export async function allOrFirstFailure<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, stop: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const ended = await Promise.allSettled(
    items.map(async (item) => {
      try {
        return await work(item, stop);
      } catch (error) {
        if (!stop.aborted && !(error instanceof ClaimLost)) failure.abort(error);
        throw error;
      }
    }),
  );
  if (failure.signal.aborted) throw failure.signal.reason;
  return ended.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
