/**
 * Calls `work` for 0..count-1 with at most `width` calls pending, and gives the results in order. After a failure nothing more
 * is begun, and the failure is thrown once the pending calls have ended, so that none of them is left behind.
 */
export async function inWindow<Result>(
  width: number,
  count: number,
  work: (index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        results[index] = await work(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, lane));
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
  return results;
}
