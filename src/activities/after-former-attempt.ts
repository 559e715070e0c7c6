import { abortable } from '../engines/abortable.ts';

/** When the attempts at a piece of work that this process has under way will all have stopped. */
const underWay = new Map<string, Promise<unknown>>();

/**
 * Does `work` when no former attempt at it is under way in this process. After a reset, or a heartbeat that came too late, a former one
 * may be: it has lost its claim and begins nothing new, but what it has in flight it still journals. Whoever read the journal
 * before that would ask for all of it again.
 *
 * @param signal ends the waiting
 */
export async function afterFormerAttempt<Result>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  const former = underWay.get(path);
  const attempt = former === undefined ? work() : abortable(former, signal).then(work);
  const stopped = Promise.allSettled([former, attempt]);
  underWay.set(path, stopped);
  void stopped.then(() => {
    if (underWay.get(path) === stopped) underWay.delete(path);
  });
  return attempt;
}
