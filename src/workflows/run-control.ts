import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { currentDetails } from './current-details.ts';
import type { ExperimentState } from './experiment-state.ts';
import { isDamage } from './remaking-damaged.ts';
import {
  abortUpdate,
  pauseUpdate,
  type Phase,
  type Progress,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from './progress.ts';
import { isInvalidConfig, reasonOf } from './reason-of.ts';

/** How a run is watched and steered: every step goes through it, so that pausing, parking and aborting are decided here alone. */
export type RunControl = {
  /**
   * Does a step. A pause stops it (after it has saved what it has) and `resume` starts it again; a step that has used up its
   * retries parks until `retry`. Only a cancellation, an abort, a bad config and damage that can be mended are thrown.
   */
  readonly step: <Result>(name: string, start: () => Promise<Result>) => Promise<Result>;
  /** Waits for `retry`. */
  readonly park: (step: string, error: unknown) => Promise<void>;
  readonly enter: (phase: Phase, extent: Pick<Progress, 'unit' | 'total'> & { questions?: number }) => void;
  /** One more of the phase's steps is done. */
  readonly done: () => void;
  readonly began: (state: ExperimentState) => void;
  readonly finished: (evaluations: readonly Evaluation[]) => void;
  readonly iterations: () => number;
  readonly untilResumed: () => Promise<void>;
};

/** Registers the query and the updates of progress.ts, and gives the run the means to be steered by them. */
export function createRunControl(experiment: string, carried: ExperimentState | undefined): RunControl {
  let progress: Progress = {
    experiment,
    state: 'running',
    phase: 'preparing',
    iteration: carried?.iteration ?? 0,
    iterations: carried?.iterations ?? 0,
    done: 0,
    total: 1,
    unit: 'steps',
    questions: 0,
    phaseStartedAt: now(),
    waiting: [],
    evaluations: carried?.evaluations ?? [],
  };
  let paused = false;
  let aborted: ApplicationFailure | undefined;
  let retries = 0;
  const inFlight = new Set<CancellationScope>();
  const stopped = new Set<CancellationScope>();

  const update = (changes: Partial<Progress>): Progress => {
    const waiting = changes.waiting ?? progress.waiting;
    const state =
      changes.phase === 'done' ? 'finished' : waiting.length > 0 ? 'parked' : paused ? 'paused' : 'running';
    progress = { ...progress, ...changes, waiting, state };
    setCurrentDetails(currentDetails(progress));
    return progress;
  };
  const stopSteps = (): void => {
    for (const scope of inFlight) {
      stopped.add(scope);
      scope.cancel();
    }
  };
  const throwIfAborted = (): void => {
    if (aborted) throw aborted;
  };

  setHandler(progressQuery, () => progress);
  setHandler(
    pauseUpdate,
    () => {
      paused = true;
      stopSteps();
      return update({});
    },
    { validator: () => refuseIf(paused, 'The experiment is paused already; `resume` goes on.') },
  );
  setHandler(
    resumeUpdate,
    () => {
      paused = false;
      return update({});
    },
    {
      validator: () => refuseIf(!paused, 'The experiment is not paused. A parked one goes on after `retry`.'),
    },
  );
  setHandler(
    retryUpdate,
    () => {
      retries += 1;
      return update({ waiting: [] });
    },
    { validator: () => refuseIf(progress.waiting.length === 0, 'No step is waiting for `retry`.') },
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
        progress.phase === 'preparing',
        'The experiment is still being prepared; try again in a moment.',
      );
      refuseIf(
        progress.phase === 'reporting' || progress.phase === 'done',
        'The last iteration is over; start the experiment anew.',
      );
      const least = Math.max(1, progress.iteration);
      refuseIf(
        iterations < least,
        `Iteration ${progress.iteration} is under way: iterations must be at least ${least}.`,
      );
    },
  });

  const park = async (step: string, error: unknown): Promise<void> => {
    update({ waiting: [...progress.waiting, { step, reason: reasonOf(error), since: now() }] });
    const retriesBefore = retries;
    await condition(() => retries > retriesBefore || aborted !== undefined);
    throwIfAborted();
  };

  const step: RunControl['step'] = async (name, start) => {
    for (;;) {
      await condition(() => !paused || aborted !== undefined);
      throwIfAborted();
      const scope = new CancellationScope();
      inFlight.add(scope);
      try {
        return await scope.run(start);
      } catch (error) {
        throwIfAborted();
        if (isCancellation(error) && stopped.has(scope)) continue;
        if (isCancellation(error) || isInvalidConfig(error) || isDamage(error)) throw error;
        // A bug of the workflow's: its task fails, and goes on once the code is mended.
        if (!(error instanceof ActivityFailure)) throw error;
        await park(name, error);
      } finally {
        inFlight.delete(scope);
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
      update({ done: progress.done + 1 });
    },
    began: ({ iteration, evaluations, iterations }) => {
      update({ iteration, evaluations, iterations });
    },
    finished: (evaluations) => {
      update({ phase: 'done', done: 1, evaluations });
    },
    iterations: () => progress.iterations,
    untilResumed: () => condition(() => !paused || aborted !== undefined).then(throwIfAborted),
  };
}

/** As in the config's schema: a run's state stays small enough to be carried. */
const mostIterations = 100;

function refuseIf(refused: boolean, reason: string): void {
  if (refused) throw ApplicationFailure.nonRetryable(reason, 'Refused');
}

function now(): string {
  return new Date().toISOString();
}
