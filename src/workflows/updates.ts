import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import { progressTable } from './progress-table.ts';
import {
  abortUpdate,
  pauseUpdate,
  type Progress,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from './progress.ts';
import type { ProgressTracker, StepsInFlight } from './track-progress.ts';

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
 * @param steps what is under way: a pause and an abort stop it
 */
export function takeUpdates(
  experiment: string,
  { current, update }: ProgressTracker,
  steps: Pick<StepsInFlight, 'stop' | 'names'>,
): Steering {
  let paused = false;
  let aborted: ApplicationFailure | undefined;
  let retriesAsked = 0;

  setHandler(progressQuery, () => ({
    ...current(),
    table: progressTable(current()),
    steps: steps.names(),
  }));
  setHandler(
    pauseUpdate,
    () => {
      paused = true;
      // mutation: pause
      steps.stop();
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
      steps.stop();
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

/** Of an update's validator: refuses it, so that it leaves no trace in the history. @throws ApplicationFailure `Refused` */
export function refuseIf(refused: boolean, reason: string): void {
  if (refused) throw ApplicationFailure.nonRetryable(reason, 'Refused');
}

/** As in the config's schema: a run's state stays small enough to be carried. */
const mostIterations = 100;

/** Of the update `setIterations`. @throws ApplicationFailure `Refused` when that many iterations cannot be done any more */
export function refuseIterations(iterations: number, { phase, iteration, learns }: Progress): void {
  refuseIf(
    !Number.isInteger(iterations),
    `iterations must be a whole number, not ${JSON.stringify(iterations)}.`,
  );
  refuseIf(iterations > mostIterations, `iterations must be at most ${mostIterations}.`);
  refuseIf(
    !learns && iterations > 0,
    'Nothing can be fine-tuned in this experiment (by its method, or as its endpoint serves no fine-tuned models): it has no iterations.',
  );
  refuseIf(phase === 'preparing', 'The experiment is still being prepared; try again in a moment.');
  refuseIf(
    phase === 'reporting' || phase === 'done',
    'The last iteration is over; start the experiment again.',
  );
  const least = Math.max(1, iteration);
  refuseIf(iterations < least, `Iteration ${iteration} is under way: iterations must be at least ${least}.`);
}
