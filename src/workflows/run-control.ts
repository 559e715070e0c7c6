import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  setHandler,
} from '@temporalio/workflow';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Attempted } from '../activities/activity.ts';
import { maximumAttempts } from './activity-proxies.ts';
import type { ExperimentState } from './experiment-state.ts';
import { isDamage } from './remaking-damaged.ts';
import {
  abortUpdate,
  type Loss,
  pauseUpdate,
  type Phase,
  type Progress,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from './progress.ts';
import { progressTable } from './progress-table.ts';
import { isInvalidConfig, isWorkerShutdown, reasonOf } from './reason-of.ts';
import { trackProgress } from './track-progress.ts';

/** How a run is watched and steered: every step goes through it, so that pausing, parking and aborting are decided here alone. */
export type RunControl = {
  /**
   * Does a step. A pause stops it (after it has saved what it has) and `resume` starts it again; a step that has used up its
   * retries parks until `retry`. Only a cancellation, an abort, a bad config and damage that can be mended are thrown.
   */
  readonly step: <Result>(name: string, start: () => Promise<Attempted<Result>>) => Promise<Result>;
  /** Waits for `retry`. */
  readonly park: (step: string, error: unknown) => Promise<void>;
  readonly enter: (phase: Phase, extent: Pick<Progress, 'unit' | 'total'> & { questions?: number }) => void;
  /** One more of the phase's steps is done. */
  readonly done: () => void;
  /** A fine-tune has ended with this loss. */
  readonly learned: (loss: Loss) => void;
  readonly began: (state: ExperimentState) => void;
  readonly finished: (evaluations: readonly Evaluation[], night: string | undefined) => void;
  /** The run ends without a result. */
  readonly ended: (error: unknown) => void;
  readonly iterations: () => number;
  /** What the next run's table goes on from. */
  readonly carried: () => Pick<Progress, 'iterations' | 'retries' | 'lastLoss'>;
  readonly untilResumed: () => Promise<void>;
};

/** Registers the query and the updates of progress.ts, and gives the run the means to be steered by them. */
export function createRunControl(experiment: string, carried: ExperimentState | undefined): RunControl {
  const { current, update } = trackProgress(experiment, carried);
  let paused = false;
  let aborted: ApplicationFailure | undefined;
  let retriesAsked = 0;
  const inFlight = new Set<CancellationScope>();
  const stopped = new Set<CancellationScope>();

  const stopSteps = (): void => {
    for (const scope of inFlight) {
      stopped.add(scope);
      scope.cancel();
    }
  };
  const throwIfAborted = (): void => {
    if (aborted) throw aborted;
  };

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
  setHandler(abortUpdate, (reason?: string) => {
    aborted = ApplicationFailure.nonRetryable(
      `Aborted${reason ? `: ${reason}` : ''}. What is finished stays; starting ${experiment} again goes on from there.`,
      'Aborted',
    );
    stopSteps();
    return update({ waiting: [] });
  });
  setHandler(setIterationsUpdate, (iterations) => update({ iterations }), {
    validator: (iterations) => {
      refuseIf(
        !Number.isInteger(iterations),
        `iterations must be a whole number, not ${JSON.stringify(iterations)}.`,
      );
      refuseIf(iterations > mostIterations, `iterations must be at most ${mostIterations}.`);
      refuseIf(
        current().phase === 'preparing',
        'The experiment is still being prepared; try again in a moment.',
      );
      refuseIf(
        current().phase === 'reporting' || current().phase === 'done',
        'The last iteration is over; start the experiment anew.',
      );
      const least = Math.max(1, current().iteration);
      refuseIf(
        iterations < least,
        `Iteration ${current().iteration} is under way: iterations must be at least ${least}.`,
      );
    },
  });

  const park = async (step: string, error: unknown): Promise<void> => {
    log.warn('step waits for a person', { step, iteration: current().iteration, why: reasonOf(error) });
    update({ waiting: [...current().waiting, { step, reason: reasonOf(error), since: now() }] });
    const askedBefore = retriesAsked;
    await condition(() => retriesAsked > askedBefore || aborted !== undefined);
    throwIfAborted();
  };

  const step: RunControl['step'] = async (name, start) => {
    for (;;) {
      await condition(() => !paused || aborted !== undefined);
      throwIfAborted();
      const scope = new CancellationScope();
      inFlight.add(scope);
      update({ inFlight: inFlight.size });
      try {
        const { attempt, output } = await scope.run(start);
        inFlight.delete(scope);
        update({ inFlight: inFlight.size, retries: current().retries + attempt - 1 });
        return output;
      } catch (error) {
        inFlight.delete(scope);
        update({ inFlight: inFlight.size, retries: current().retries + retriesUsedUp(error) });
        throwIfAborted();
        // A step that was told to stop may end as timed out too: its worker has died meanwhile.
        if (scope.consideredCancelled && error instanceof ActivityFailure) {
          if (stopped.has(scope)) continue;
          throw new CancelledFailure(`Cancelled while ${name} was under way.`);
        }
        // Workers that come and go use up attempts too, and say nothing about the step: it is begun anew.
        if (isWorkerShutdown(error)) continue;
        if (isCancellation(error) || isInvalidConfig(error) || isDamage(error)) throw error;
        // A bug of the workflow's: its task fails, and goes on once the code is mended.
        if (!(error instanceof ActivityFailure)) throw error;
        await park(name, error);
      } finally {
        stopped.delete(scope);
      }
    }
  };

  return {
    step,
    park,
    enter: (phase, { unit, total, questions = 0 }) => {
      update({ phase, unit, total, questions, done: 0, phaseStartedAt: now() });
    },
    done: () => {
      update({ done: current().done + 1 });
    },
    learned: (lastLoss) => {
      update({ lastLoss });
    },
    began: ({ plan, iteration, evaluations, iterations }) => {
      const searchable = plan.searchAttributes === true;
      update({ iteration, evaluations, iterations, night: plan.night?.said, searchable });
    },
    finished: (evaluations, night) => {
      update({ phase: 'done', done: 1, evaluations, night });
    },
    ended: (error) => {
      update({ ended: isCancellation(error) ? 'cancelled' : 'failed', waiting: [] });
    },
    iterations: () => current().iterations,
    carried: () => {
      const { iterations, retries, lastLoss } = current();
      return { iterations, retries, lastLoss };
    },
    untilResumed: () => condition(() => !paused || aborted !== undefined).then(throwIfAborted),
  };
}

/** As in the config's schema: a run's state stays small enough to be carried. */
const mostIterations = 100;

function refuseIf(refused: boolean, reason: string): void {
  if (refused) throw ApplicationFailure.nonRetryable(reason, 'Refused');
}

/** The failure of a step does not say at which attempt it came; only that it was the last that the policy allows. */
function retriesUsedUp(error: unknown): number {
  return error instanceof ActivityFailure && error.retryState === 'MAXIMUM_ATTEMPTS_REACHED'
    ? maximumAttempts - 1
    : 0;
}

function now(): string {
  return new Date().toISOString();
}
