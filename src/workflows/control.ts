import {
  ActivityFailure,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  patched,
} from '@temporalio/workflow';
import { secondsWithin, usedUp, withTokens } from '../algorithm/steering.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { maximumAttempts, isDamage, isInvalidConfig, isWorkerShutdown, reasonOf } from './temporal.ts';
import type { ExperimentResult, Warning } from '../store/records/result.ts';
import { usedUpText } from './progress-table.ts';
import {
  type ExperimentState,
  type GuardProgress,
  type Loss,
  type Phase,
  type Progress,
  type StepName,
  usesDevice,
  waitsForBudget,
} from './progress.ts';
import { budgetUsedUp, type Step } from './steps.ts';
import {
  budgetNow,
  type ProgressTracker,
  type StepsInFlight,
  stepsInFlight,
  trackProgress,
} from './track-progress.ts';
import { type Steering, takeUpdates } from './updates.ts';

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
  /** The last iteration is over. */
  readonly finishing: () => void;
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
  readonly carried: () => Pick<Progress, 'iterations' | 'retries' | 'lastLoss' | 'droppedRows' | 'warnings'> &
    Pick<ExperimentState, 'budget' | 'held'>;
  readonly untilResumed: () => Promise<void>;
};

/** Registers the query and the updates of progress.ts, and gives the run the means to be steered by them. */
export function createRunControl(experiment: string, carried: ExperimentState | undefined): RunControl {
  const progress = trackProgress(experiment, carried);
  const { current, update } = progress;
  const steps = stepsInFlight();
  const steering = takeUpdates(experiment, progress, steps);
  const { throwIfAborted, untilResumed, untilRetried, retriesAsked } = steering;
  const budget = keepToBudget(progress, steps, steering);

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
      if (next.tokens !== undefined && budget.isUsedUp()) await budget.untilRaised();
      const askedBefore = retriesAsked();
      const scope = steps.begin(next);
      update({ inFlight: steps.count() });
      try {
        const { attempt, output } = await scope.run(() => next.begin(begunIn, chargeOf(next, current())));
        steps.end(scope);
        update({ inFlight: steps.count(), retries: current().retries + attempt - 1 });
        if (next.tokens !== undefined) budget.took(next.id, next.tokens(output));
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
    began: ({ plan, iteration, evaluations, iterations, warnings = plan.warnings ?? [], budget: given }) => {
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
        ...(given === undefined ? {} : { budget: given }),
        described: true,
      });
      if (given !== undefined) budget.watch();
    },
    guarded: (guard) => {
      update({ guard });
    },
    finishing: () => {
      update({ finishing: true });
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
      const { iterations, retries, lastLoss, droppedRows, warnings, budget: used, held } = current();
      return {
        iterations,
        retries,
        lastLoss,
        droppedRows,
        warnings,
        ...(used === undefined ? {} : { budget: used }),
        ...(held === undefined ? {} : { held }),
      };
    },
  };
}

/**
 * Keeps a run to its budget, where it has one: what asks or trains models is not begun, and is stopped as by a pause, while the budget is used
 * up. The rest costs next to nothing and goes on, so that an experiment whose last answer used the budget up still writes its result.
 */
function keepToBudget({ current, update }: ProgressTracker, steps: StepsInFlight, steering: Steering) {
  const counted = new Set<string>();
  const isUsedUp = (): boolean => {
    const { budget, held } = current();
    return held !== undefined || (budget !== undefined && usedUp(budget).length > 0);
  };
  const isAtWork = (): boolean => {
    const { state } = current();
    return steps.count() > 0 && (state === 'running' || state === 'parked');
  };
  const watchTime = async (): Promise<void> => {
    for (;;) {
      await condition(() => !isUsedUp() && isAtWork());
      const { budget: began } = current();
      const left = began === undefined ? Infinity : secondsWithin(began, usesDevice(current()));
      const isChanged = (): boolean => current().budget?.limits !== began?.limits;
      if (left === Infinity) {
        await condition(isChanged);
        continue;
      }
      await condition(isChanged, Math.max(1, Math.ceil(left)) * 1000);
      update({});
      if (isUsedUp()) steps.stopCostly();
    }
  };
  return {
    isUsedUp,
    /** Waits for a person to raise what is used up. */
    untilRaised: async (): Promise<void> => {
      while (isUsedUp()) {
        const { budget, held, waiting } = current();
        const says =
          held === undefined ? budget && usedUpText(budget) : `of the study ${held.study}: ${held.says}`;
        if (says !== undefined && !waiting.some(waitsForBudget)) {
          const { id: step, words } = budgetUsedUp;
          const reason = `BudgetUsedUp: ${says}`;
          log.warn('the budget is used up', { iteration: current().iteration, why: reason });
          update({ waiting: [...waiting, { step, words, reason, since: now() }] });
        }
        await steering.untilRaised(() => isUsedUp() && current().waiting.some(waitsForBudget));
        await steering.untilResumed();
      }
    },
    /** A step has ended. Damage may have it done again, and then it is counted once. */
    took: (step: string, tokens: number): void => {
      const { budget } = current();
      if (budget === undefined || counted.has(step)) return;
      counted.add(step);
      update({ budget: withTokens(budget, tokens) });
      if (isUsedUp()) steps.stopCostly();
    },
    /** Looks after the limits of time, with a timer while there is one. */
    watch: (): void => {
      watchTime().catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    },
  };
}

/** What the activity of a step that costs something is told, so that its time is not lost; undefined without a budget. */
function chargeOf({ tokens }: Pick<Step<never>, 'tokens'>, progress: Progress) {
  const budget = tokens === undefined ? undefined : budgetNow(progress);
  return budget && { experiment: progress.experiment, used: budget.used };
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
