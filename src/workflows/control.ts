import { ActivityFailure, CancelledFailure, isCancellation, log, patched } from '@temporalio/workflow';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { maximumAttempts } from './activity-proxies.ts';
import { isDamage, isInvalidConfig, isWorkerShutdown, reasonOf } from './failures.ts';
import type { ExperimentResult, Warning } from '../store/records/result.ts';
import type { ExperimentState, GuardProgress, Loss, Phase, Progress, StepName } from './progress.ts';
import type { Step } from './steps.ts';
import { stepsInFlight, trackProgress } from './track-progress.ts';
import { takeUpdates } from './updates.ts';

/** How a run is watched and steered: every step goes through it, so that pausing, parking and aborting are decided here alone. */
export type RunControl = {
  /**
   * Does a step. A pause stops it (after it has saved what it has) and `resume` starts it again; a step that has used up its
   * retries parks until `retry`. If a `retry` came while it was under way, it is tried again at once instead: all its attempts may have
   * met what the person has put right since. Only a cancellation, an abort, a config that cannot be prepared, and damage that can be
   * mended are thrown.
   */
  readonly step: <Output>(step: Step<Output>) => Promise<Output>;
  /** Waits for `retry`. */
  readonly park: (step: StepName, error: unknown) => Promise<void>;
  readonly enter: (phase: Phase, extent: Pick<Progress, 'unit' | 'total'> & { questions?: number }) => void;
  /** One more of the phase's steps is done. */
  readonly done: () => void;
  /** A fine-tune has ended with this loss, and had left out this number of rows. */
  readonly learned: (loss: Loss, droppedRows: number) => void;
  /** The warnings as far as the experiment has come; undefined from a step that an older version has done. */
  readonly warned: (warnings: readonly Warning[] | undefined) => void;
  /** How the one model does that the group was distilled into. */
  readonly distilled: (text: string) => void;
  readonly began: (state: ExperimentState) => void;
  /** What the guard has decided so far. */
  readonly guarded: (guard: GuardProgress | undefined) => void;
  readonly finished: (
    evaluations: readonly Evaluation[],
    result: Pick<ExperimentResult, 'night' | 'guard' | 'answer'>,
  ) => void;
  /** The run ends, and the next one of the chain goes on with this state. */
  readonly continues: (state: ExperimentState) => void;
  /** The run ends without a result. */
  readonly ended: (error: unknown) => void;
  readonly iterations: () => number;
  /** What the next run's table goes on from. */
  readonly carried: () => Pick<Progress, 'iterations' | 'retries' | 'lastLoss' | 'droppedRows' | 'warnings'>;
  readonly untilResumed: () => Promise<void>;
};

/** Registers the query and the updates of progress.ts, and gives the run the means to be steered by them. */
export function createRunControl(experiment: string, carried: ExperimentState | undefined): RunControl {
  const progress = trackProgress(experiment, carried);
  const { current, update } = progress;
  const steps = stepsInFlight();
  const { throwIfAborted, untilResumed, untilRetried, retriesAsked } = takeUpdates(
    experiment,
    progress,
    steps,
  );

  let begunIn = carried?.plan.begunIn;
  // A config that was in order once is so for good: what a later step finds wrong with it is wrong with its worker or the store.
  let begun = false;
  const prepared = (): boolean => begun && patched('an invalid config waits once the experiment has begun');

  const park = async ({ id, words }: StepName, error: unknown): Promise<void> => {
    const reason = reasonOf(error);
    log.warn('step waits for a person', { step: id, iteration: current().iteration, why: reason });
    update({ waiting: [...current().waiting, { step: id, words, reason, since: now() }] });
    await untilRetried();
  };

  const step: RunControl['step'] = async (next) => {
    for (;;) {
      await untilResumed();
      const askedBefore = retriesAsked();
      const scope = steps.begin(next);
      update({ inFlight: steps.count() });
      try {
        const { attempt, output } = await scope.run(() => next.begin(begunIn));
        steps.end(scope);
        update({ inFlight: steps.count(), retries: current().retries + attempt - 1 });
        return output;
      } catch (error) {
        steps.end(scope);
        update({ inFlight: steps.count(), retries: current().retries + retriesUsedUp(error) });
        throwIfAborted();
        // A step that was stopped may end as timed out too: its worker has died meanwhile.
        if (scope.consideredCancelled && error instanceof ActivityFailure) {
          if (steps.wasStopped(scope)) continue;
          throw new CancelledFailure(`Cancelled while ${next.id} was under way.`);
        }
        // Workers that come and go use up attempts too, and say nothing about the step: it is started again.
        if (isWorkerShutdown(error)) continue;
        if (isCancellation(error) || isDamage(error) || (isInvalidConfig(error) && !prepared())) throw error;
        // A bug of the workflow's: its task fails, and goes on once the code is mended.
        if (!(error instanceof ActivityFailure)) throw error;
        if (retriesAsked() > askedBefore && patched('a retry counts for steps under way')) {
          update({ retries: current().retries + 1 });
          continue;
        }
        // mutation: park
        await park(next, error);
      }
    }
  };

  return {
    step,
    park,
    untilResumed,
    enter: (phase, { unit, total, questions = 0 }) => {
      update({ phase, unit, total, questions, done: 0, phaseStartedAt: now() });
    },
    done: () => {
      update({ done: current().done + 1 });
    },
    learned: (lastLoss, droppedRows) => {
      update({ lastLoss, droppedRows: current().droppedRows + droppedRows });
    },
    warned: (warnings) => {
      if (warnings !== undefined) update({ warnings });
    },
    distilled: (distilled) => {
      update({ distilled });
    },
    began: ({ plan, iteration, evaluations, iterations, warnings = plan.warnings ?? [] }) => {
      begun = true;
      begunIn = plan.begunIn;
      const searchable = plan.searchAttributes === true;
      const learns = plan.learners.length > 0;
      const { about, night } = plan;
      update({
        iteration,
        evaluations,
        iterations,
        learns,
        warnings,
        searchable,
        about,
        night: night?.said,
        described: true,
      });
    },
    guarded: (guard) => {
      update({ guard });
    },
    finished: (evaluations, { night, guard, answer }) => {
      update({
        phase: 'done',
        done: 1,
        evaluations,
        night: night?.said,
        ...(guard === undefined
          ? {}
          : { guard: { best: guard.best, said: guard.said, rolledBack: guard.rolledBack } }),
        answer: answer?.said,
        described: true,
      });
    },
    continues: ({ plan }) => {
      // The history of a run that an earlier version has begun has no event for it.
      if (plan.about !== undefined) update({ ended: 'continued' });
    },
    ended: (error) => {
      update({ ended: isCancellation(error) ? 'cancelled' : 'failed', waiting: [] });
    },
    iterations: () => current().iterations,
    carried: () => {
      const { iterations, retries, lastLoss, droppedRows, warnings } = current();
      return { iterations, retries, lastLoss, droppedRows, warnings };
    },
  };
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
