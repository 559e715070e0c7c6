import { cancellationSignal, heartbeat } from '@temporalio/activity';

/** Far below the heartbeat timeout; the SDK sends fewer where that suffices. */
const everyMs = 1_000;

/**
 * Beats while `work` runs, so that a dead worker is noticed and a cancellation, a pause or a reset reaches the work through the
 * signal. `details` is for people to see; what is done is read from disk, never from a heartbeat.
 */
export async function heartbeating<Result>(
  details: () => unknown,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const beat = (): void => heartbeat(details());
  beat();
  const timer = setInterval(beat, everyMs);
  try {
    return await work(cancellationSignal());
  } finally {
    clearInterval(timer);
  }
}
