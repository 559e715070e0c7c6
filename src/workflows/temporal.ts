/** What do the workflows ask of Temporal: queues, timeouts, retries, runs that continue? And what does the failure of a step mean? */
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  continueAsNew,
  ContinueAsNew,
  makeContinueAsNewFunc,
  proxyActivities,
  TerminatedFailure,
  TimeoutFailure,
  type Workflow,
  workflowInfo,
} from '@temporalio/workflow';
// oxlint-disable-next-line no-restricted-imports -- SDK 1.24 has no public name for it; see below
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { ControlActivities, DebateActivities, GpuActivities } from '../activities/index.ts';

/** The task queues, one for each kind of work. By default a worker serves all of them. */
export const taskQueues = {
  /** Workflows and light activities. */
  control: 'colloquy',
  /** Debates: many requests in flight, waiting on an engine. */
  debate: 'colloquy-debate',
  /** Fine-tunes: one at a time on a GPU, one for each core without a GPU. */
  gpu: 'colloquy-gpu',
} as const;
export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];

export const maximumAttempts = 10;
/** Ten attempts over some five minutes: an engine may restart meanwhile. Then the step parks and waits for a person. */
const retry = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '1m',
  maximumAttempts,
} as const;

/*
 * What every step has. The SDK's documented default of the cancellation type is the one given here, its actual one (1.24) is
 * TRY_CANCEL: a paused step would count as ended while it still runs, and could not be started again under its id.
 */
const ofEveryStep = {
  heartbeatTimeout: '20s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry,
} as const;

/*
 * The only place with timeouts, retries and queues. Which failures are retried at all, the class of the error decides (src/errors.ts).
 * Long steps heartbeat, so that a dead worker is noticed within the heartbeat timeout; start-to-close only bounds a step that
 * beats without end. There is no schedule-to-close timeout: pausing an activity would eat it.
 */
const {
  adoptEvaluation,
  buildDatasets,
  buildDistilled,
  evaluate,
  recordIteration,
  recordDistilled,
  pruneModels,
  writeResult,
  changeConfig,
  closeNight,
  prepareStudy,
  studyCells,
  watchStudy,
  writeStudy,
} = proxyActivities<ControlActivities>({
  ...ofEveryStep,
  startToCloseTimeout: '1h',
});

// It may wait until a fine-tune of another experiment has left the device.
const { prepare } = proxyActivities<Pick<ControlActivities, 'prepare'>>({
  ...ofEveryStep,
  startToCloseTimeout: '48h',
});

const { debate, measureDiversity } = proxyActivities<DebateActivities>({
  ...ofEveryStep,
  taskQueue: taskQueues.debate,
  startToCloseTimeout: '12h',
});

const { fineTune, remakeModel } = proxyActivities<GpuActivities>({
  ...ofEveryStep,
  taskQueue: taskQueues.gpu,
  startToCloseTimeout: '48h',
});

export const activities = {
  prepare,
  adoptEvaluation,
  buildDatasets,
  buildDistilled,
  evaluate,
  recordIteration,
  recordDistilled,
  pruneModels,
  writeResult,
  changeConfig,
  closeNight,
  prepareStudy,
  studyCells,
  watchStudy,
  writeStudy,
  debate,
  measureDiversity,
  fineTune,
  remakeModel,
};

/**
 * Continues as new. Where workers are versioned, a run is pinned to the version that began it, and the next run begins on the version
 * that is current by then.
 *
 * Servers since 1.31 do so when the command asks for it. Before, the new run inherits the version of a run that is pinned; so the
 * workflow task that ends the run says that it no longer is. Nothing public in the SDK says that of one task: options of a
 * workflow are read when its run begins, and no interceptor sees them. It can go when servers before 1.31 need not be served.
 */
export function continueOnCurrentVersion<F extends Workflow>(...args: Parameters<F>): Promise<never> {
  // Also of a run that began without versions, and went on on a versioned worker.
  const versioned = Boolean(workflowInfo().currentDeploymentVersion?.deploymentName);
  if (!versioned) return continueAsNew<F>(...args);
  getActivator().versioningBehavior = 'AUTO_UPGRADE';
  return makeContinueAsNewFunc<F>({ initialVersioningBehavior: 'AUTO_UPGRADE' })(...args);
}

/**
 * Calls `work` for 0..count-1 with at most `width` calls pending, and gives the results in order. After a failure nothing more
 * is begun, and the failure is thrown once the pending calls have ended, so that none of them is left behind.
 */
export async function inWindow<Result>(
  width: number,
  count: number,
  work: (index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      try {
        results[index] = await work(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, lane));
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
  return results;
}

/** Why a step failed, in the words of whatever failed, for a person who reads the progress. */
export function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure) return reasonOf(error.cause);
  if (error instanceof TimeoutFailure) return timeoutText(error.timeoutType);
  if (error instanceof ApplicationFailure) return `${error.type ?? 'Error'}: ${error.message}`;
  if (error instanceof CancelledFailure) return 'It was cancelled.';
  if (error instanceof TerminatedFailure) return 'It was terminated.';
  return error instanceof Error ? error.message : String(error);
}

/** A config that cannot work: waiting for a `retry` would not mend it, so the run fails at once. */
export function isInvalidConfig(error: unknown): boolean {
  return isOfType(error, 'InvalidConfig');
}

/** An artifact is damaged or gone: `remakingDamaged` makes it again. The types are the names of the store's errors. */
export function isDamage(error: unknown): boolean {
  return isOfType(error, 'ArtifactDamaged') || isOfType(error, 'ArtifactMissing');
}

/** The step's last attempt was ended by its worker's shutdown (the type is that of Temporal's core). */
export function isWorkerShutdown(error: unknown): boolean {
  return isOfType(error, 'WorkerShutdown');
}

function isOfType(error: unknown, type: string): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === type;
}

/** What a step's timeout means. Of the types of Temporal's timeouts only two are set above. */
export function timeoutText(type: string | undefined): string {
  return type === 'HEARTBEAT'
    ? 'Its worker gave no sign of life for 20 s: it died, was killed, or cannot reach Temporal.'
    : `It took longer than a step may take (${type ?? 'timeout'}): it hangs.`;
}

/**
 * Runs the workflow's body so that a failed activity fails the workflow with the activity's own type and words: `temporal
 * workflow describe` then says `InvalidConfig` and which field, instead of `Activity task failed`.
 *
 * @param onFailure is given each failure, for the progress to show
 */
export async function failuresThatEndARun<Result>(
  onFailure: (error: unknown) => void,
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    onFailure(error);
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) {
      throw ApplicationFailure.nonRetryable(
        error.cause.message,
        error.cause.type,
        ...(error.cause.details ?? []),
      );
    }
    throw error;
  }
}
