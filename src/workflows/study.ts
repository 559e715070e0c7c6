import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlannedCell } from '../activities/steps/study.ts';
import type { StudyResult } from '../config/study.ts';
import { continueOnCurrentVersion, inWindow } from './activity-proxies.ts';
import type { experiment } from './experiment.ts';
import { failuresThatEndARun, reasonOf } from './failures.ts';
import { steps } from './steps.ts';
import { type StudyTracker, trackStudy } from './study-progress.ts';

/** Experiments in the result of one activity: some 25 kB. */
const pageSize = 50;

/**
 * Experiments x methods x seeds, each an experiment of its own and a child of this workflow, at most `parallel` at once. What this store
 * has finished is not run again, so a study can always be started again: after a failure, or with more methods, seeds or experiments.
 * An experiment that fails does not end the others. The workflow id is the study's name.
 *
 * @param input one JSON object: see configs/studies/schema.json
 */
export async function study(input?: unknown): Promise<StudyResult> {
  const { workflowId: name } = workflowInfo();
  const given = input ?? null;
  const progress = trackStudy(name);
  return failuresThatEndARun(progress.ended, async () => {
    const { output: plan } = await steps.prepareStudy({ study: name, input: given }).begin();
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
      await runCell(cell, progress, historyIsLong);
    });
    if (historyIsLong() && progress.left() > 0) return continueOnCurrentVersion<typeof study>(input);
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
  historyIsLong: () => boolean,
): Promise<void> {
  const { name, experiment: column, method, variant = method, seed, input } = cell;
  for (let seconds = 10; ; seconds = Math.min(2 * seconds, 600)) {
    progress.is(cell, 'running');
    try {
      await runChild(name, input, `${variant} on ${column}, seed ${seed}`);
      return progress.is(cell, 'finished');
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        // Started by hand, or still ending after this study was terminated.
        progress.is(cell, 'elsewhere');
        await sleep(`${seconds}s`);
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
async function runChild(name: string, input: unknown, summary: string): Promise<void> {
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

function incomplete(name: string, { failed }: StudyResult): ApplicationFailure {
  const lines = failed.map(({ name: cell, reason }) => `  ${cell}: ${reason}`);
  return ApplicationFailure.nonRetryable(
    `${failed.length} of the study's experiments failed; the report has the others.\n${lines.join('\n').slice(0, 4_000)}\n` +
      `Mend the causes and start ${name} again: it runs these alone.`,
    'StudyIncomplete',
  );
}
