import { heartbeat } from '@temporalio/activity';

/** Far below the heartbeat timeout; the SDK sends fewer where that suffices. */
const everyMs = 1_000;

/** Sets what a heartbeat shows to people. What is done is read from disk, never from a heartbeat. */
export type Show = (details: object) => void;

/**
 * Beats while `work` runs, however long it waits for something else, so that a dead worker is noticed and a cancellation, a pause or
 * a reset arrives.
 */
export async function heartbeating<Result>(work: (show: Show) => Promise<Result>): Promise<Result> {
  let details: object = {};
  const beat = (): void => heartbeat(details);
  beat();
  const timer = setInterval(beat, everyMs);
  try {
    return await work((shown) => {
      details = { ...details, ...shown };
    });
  } finally {
    clearInterval(timer);
  }
}
