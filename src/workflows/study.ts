import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlannedCell, StudyResult } from '../activities/steps/study.ts';
import { type Limits, nothingUsed, usedUp, withLimits } from '../algorithm/steering.ts';
import { continueOnCurrentVersion, inWindow, failuresThatEndARun, reasonOf } from './temporal.ts';
import type { experiment } from './experiment.ts';
import { steps } from './steps.ts';
import { type Held, holdSignal } from './progress.ts';
import { raisedSettings, usedUpText } from './progress-table.ts';
import { setTotalBudgetUpdate, type StudyBudget, type StudyTracker, trackStudy } from './study-progress.ts';
import { limitsFault, refuseIf } from './updates.ts';

/** Experiments in the result of one activity: some 25 kB. */
const pageSize = 50;

/**
 * Experiments x methods x seeds, each an experiment of its own and a child of this workflow, at most `parallel` at once. What this store
 * has finished is not run again, so a study can always be started again: after a failure, or with more methods, seeds or experiments.
 * An experiment that fails does not end the others. The workflow id is the study's name.
 *
 * @param input one JSON object: see configs/studies/schema.json
 * @param carried of a study with a `total_budget`: its limits, as the run before left them
 */
export async function study(input?: unknown, carried?: Limits): Promise<StudyResult> {
  const { workflowId: name } = workflowInfo();
  const given = input ?? null;
  const progress = trackStudy(name);
  const total = keepToTotalBudget(name, given, progress);
  return failuresThatEndARun(progress.ended, async () => {
    const { output: plan } = await steps.prepareStudy({ study: name, input: given }).begin();
    if (plan.budget !== undefined) total.begin({ ...plan.budget, limits: carried ?? plan.budget.limits });
    const cells: PlannedCell[] = [];
    for (let from = 0; from < plan.cells; from += pageSize) {
      const { output: page } = await steps
        .studyCells({ study: name, input: given, from, count: pageSize })
        .begin();
      cells.push(...page);
    }
    progress.cells(cells);
    // A long study is a chain of runs: what is finished is found again.
    const historyIsLong = (): boolean => workflowInfo().continueAsNewSuggested;
    // mutation: cells
    await inWindow(plan.parallel, cells.length, async (index) => {
      const cell = cells[index];
      if (cell === undefined || cell.finished || historyIsLong()) return;
      await total.untilThereIsSome();
      await runCell(cell, progress, total, historyIsLong);
    });
    if (historyIsLong() && progress.left() > 0) {
      const { budget } = progress.current();
      return budget === undefined
        ? continueOnCurrentVersion<typeof study>(input)
        : continueOnCurrentVersion<typeof study>(input, budget.limits);
    }
    const { output: result } = await steps
      .writeStudy({ study: name, input: given, failed: progress.failed() })
      .begin();
    if (result.failed.length > 0) throw incomplete(name, result);
    progress.finished();
    return result;
  });
}

/** Runs an experiment to its end, or waits for one of this name that was started elsewhere, and then checks its result. */
async function runCell(
  cell: PlannedCell,
  progress: StudyTracker,
  total: TotalBudget,
  historyIsLong: () => boolean,
): Promise<void> {
  const { name, experiment: column, method, variant = method, seed, input } = cell;
  for (let seconds = 10; ; seconds = Math.min(2 * seconds, 600)) {
    progress.is(cell, 'running');
    try {
      await runChild(name, input, `${variant} on ${column}, seed ${seed}`, () => total.tell(name));
      return progress.is(cell, 'finished');
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        // Started by hand, or still ending after this study was terminated.
        progress.is(cell, 'elsewhere');
        try {
          await total.tellOther(name);
          await sleep(`${seconds}s`);
        } catch (stopped) {
          await total.letGo(name);
          throw stopped;
        }
        // Each look costs events: the next run of this study goes on looking.
        if (historyIsLong()) return progress.is(cell, 'waiting');
        continue;
      }
      if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
      const reason = reasonOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
      log.warn('an experiment of the study has failed', { cell: name, why: reason });
      return progress.is(cell, 'failed', reason);
    }
  }
}

/**
 * Runs an experiment as a child. A cancellation is passed on by name, because the one of a scope goes to the child's first run, and an
 * experiment is a chain of runs; then this waits until the child has saved what it had in flight.
 */
async function runChild(
  name: string,
  input: unknown,
  summary: string,
  onStart: () => Promise<void>,
): Promise<void> {
  const scope = CancellationScope.current();
  const child = await CancellationScope.nonCancellable(() =>
    startChild<typeof experiment>('experiment', {
      workflowId: name,
      args: [input],
      parentClosePolicy: 'REQUEST_CANCEL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: summary,
    }),
  );
  const ended = CancellationScope.nonCancellable(() => child.result());
  try {
    // While it is told, it may end, and its study may be cancelled. The cancellation comes first, as everywhere.
    await Promise.race([scope.cancelRequested, ended, onStart()]);
    await Promise.race([ended, scope.cancelRequested]);
  } catch (error) {
    if (!scope.consideredCancelled) throw error;
    // It may have ended by itself in this moment.
    await Promise.allSettled([
      CancellationScope.nonCancellable(() => getExternalWorkflowHandle(name).cancel()),
      ended,
    ]);
    throw error;
  }
}

/** The budget of a whole study. One without a `total_budget` has no limit, and nothing here then leaves a trace in its history. */
type TotalBudget = {
  /** Begins to look at what the experiments use. */
  readonly begin: (budget: StudyBudget) => void;
  /** Waits while it is used up. */
  readonly untilThereIsSome: () => Promise<void>;
  /** Tells an experiment that it is used up, where it is. */
  readonly tell: (experiment: string) => Promise<void>;
  /** Tells one that this study has not started, which may still wait because an earlier run of the study had told it so. */
  readonly tellOther: (experiment: string) => Promise<void>;
  /** Has such a one go on when this study is cancelled: nobody else could. */
  readonly letGo: (experiment: string) => Promise<void>;
};

function keepToTotalBudget(name: string, input: unknown, progress: StudyTracker): TotalBudget {
  const { current, budget: set } = progress;
  const isUsedUp = (): boolean => {
    const { budget } = current();
    return budget !== undefined && usedUp(budget).length > 0;
  };
  /** What each experiment was told last: whether it has to wait. */
  const waits = new Map<string, boolean>();
  const signal = async (experiment: string, held: Held | null): Promise<void> => {
    waits.set(experiment, held !== null);
    // One that has just ended needs none.
    await getExternalWorkflowHandle(experiment)
      .signal(holdSignal, held)
      .catch((error: unknown) => {
        if (isCancellation(error)) throw error;
      });
  };
  const tell = async (experiment: string): Promise<void> => {
    const { budget } = current();
    if (budget === undefined || !isUsedUp()) return;
    const settings = raisedSettings(budget).join(' ');
    await signal(experiment, { study: name, says: usedUpText(budget), settings });
  };
  const running = (): string[] =>
    current()
      .cells.filter(({ state }) => state === 'running' || state === 'elsewhere')
      .map((cell) => cell.name);

  const watch = async (): Promise<void> => {
    let minutes = 1;
    for (let times = 1; ; times++) {
      await condition(() => !isUsedUp());
      const { limits = {} } = current().budget ?? {};
      try {
        const { output: used } = await steps.watchStudy({ study: name, input, limits }, times).begin();
        set({ limits: current().budget?.limits ?? limits, used });
        minutes = 1;
        if (isUsedUp()) await Promise.all(running().map(tell));
      } catch (error) {
        if (isCancellation(error)) throw error;
        log.warn('what the experiments have used is not known', { why: reasonOf(error) });
        // Each look costs events of the study's history, which may not grow without end.
        await sleep(`${minutes}m`);
        minutes = Math.min(2 * minutes, 16);
      }
    }
  };

  setHandler(
    setTotalBudgetUpdate,
    async (given) => {
      const { limits, used } = current().budget ?? { limits: {}, used: nothingUsed };
      const wasUsedUp = isUsedUp();
      set({ limits: withLimits(limits, given), used });
      // Also where it still is: what they say of it has changed.
      if (isUsedUp()) await Promise.all(running().map(tell));
      else if (wasUsedUp) await Promise.all(running().map((each) => signal(each, null)));
      return current();
    },
    {
      validator: (given) => {
        const { budget, cells } = current();
        refuseIf(
          budget === undefined && cells.length === 0,
          'The study is still being prepared; try again in a moment.',
        );
        refuseIf(
          budget === undefined,
          'The study was started without a total_budget. Its experiments may have budgets of their own: name one of them.',
        );
        const fault = limitsFault(given, { budget: budget && { ...budget, counted: 0 } });
        refuseIf(fault !== undefined, fault ?? '');
      },
      description:
        'Sets limits of the total budget. Argument: an object, e.g. {"tokens": 2000000}; null for no limit. What waits goes on once there is more.',
    },
  );
  return {
    begin: (budget) => {
      set(budget);
      watch().catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    },
    untilThereIsSome: async () => {
      if (isUsedUp()) await condition(() => !isUsedUp());
    },
    tell,
    tellOther: async (experiment) => {
      if (current().budget === undefined) return;
      if (isUsedUp()) await tell(experiment);
      else if (waits.get(experiment) !== false) await signal(experiment, null);
    },
    letGo: async (experiment) => {
      if (waits.get(experiment) === true)
        await CancellationScope.nonCancellable(() => signal(experiment, null));
    },
  };
}

function incomplete(name: string, { failed }: StudyResult): ApplicationFailure {
  const lines = failed.map(({ name: cell, reason }) => `  ${cell}: ${reason}`);
  return ApplicationFailure.nonRetryable(
    `${failed.length} of the study's experiments failed; the report has the others.\n${lines.join('\n').slice(0, 4_000)}\n` +
      `Mend the causes and start ${name} again: it runs these alone.`,
    'StudyIncomplete',
  );
}
