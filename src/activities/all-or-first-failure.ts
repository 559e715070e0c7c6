/** Works on all items at once. After a failure the others are stopped, and have stopped before it is thrown. */
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
        if (!stop.aborted) failure.abort(error);
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
