import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import {
  abortUpdate,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from './progress.ts';
import { progressTable } from './progress-table.ts';
import { refuseIf } from './refuse-if.ts';
import { refuseIterations } from './refuse-iterations.ts';
import type { ProgressTracker } from './track-progress.ts';

/** What people have asked of a run. Each of the three throws once it was aborted. */
export type Steering = {
  readonly throwIfAborted: () => void;
  /** Waits while the run is paused. */
  readonly untilResumed: () => Promise<void>;
  /** Waits for the next `retry`. */
  readonly untilRetried: () => Promise<void>;
};

/**
 * Registers the query and the updates of progress.ts.
 *
 * @param stopSteps stops all that is under way, for a pause and an abort
 */
export function takeUpdates(
  experiment: string,
  { current, update }: ProgressTracker,
  stopSteps: () => void,
): Steering {
  let paused = false;
  let aborted: ApplicationFailure | undefined;
  let retriesAsked = 0;

  setHandler(progressQuery, () => ({ ...current(), table: progressTable(current()) }));
  setHandler(
    pauseUpdate,
    () => {
      paused = true;
      stopSteps();
      return update({ paused });
    },
    { validator: () => refuseIf(paused, 'The experiment is paused already; `resume` goes on.') },
  );
  setHandler(
    resumeUpdate,
    () => {
      paused = false;
      return update({ paused });
    },
    {
      validator: () => refuseIf(!paused, 'The experiment is not paused. A parked one goes on after `retry`.'),
    },
  );
  setHandler(
    retryUpdate,
    () => {
      retriesAsked += 1;
      return update({ waiting: [], retries: current().retries + current().waiting.length });
    },
    { validator: () => refuseIf(current().waiting.length === 0, 'No step is waiting for `retry`.') },
  );
  setHandler(
    abortUpdate,
    (reason?: string) => {
      aborted = ApplicationFailure.nonRetryable(
        `Aborted${reason ? `: ${reason}` : ''}. What is finished stays; starting ${experiment} again goes on from there.`,
        'Aborted',
      );
      stopSteps();
      return update({ waiting: [] });
    },
    {
      validator: (reason?: unknown) =>
        refuseIf(
          reason !== undefined && reason !== null && typeof reason !== 'string',
          `The reason must be a text, not ${JSON.stringify(reason)}.`,
        ),
    },
  );
  setHandler(setIterationsUpdate, (iterations) => update({ iterations }), {
    validator: (iterations) => refuseIterations(iterations, current()),
  });

  const throwIfAborted = (): void => {
    if (aborted) throw aborted;
  };
  return {
    throwIfAborted,
    untilResumed: async () => {
      await condition(() => !paused || aborted !== undefined);
      throwIfAborted();
    },
    untilRetried: async () => {
      const askedBefore = retriesAsked;
      await condition(() => retriesAsked > askedBefore || aborted !== undefined);
      throwIfAborted();
    },
  };
}
