import {
  continueAsNew,
  makeContinueAsNewFunc,
  proxyActivities,
  type Workflow,
  workflowInfo,
} from '@temporalio/workflow';
// oxlint-disable-next-line no-restricted-imports -- SDK 1.24 has no public name for it; see below
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import type { ControlActivities, DebateActivities, GpuActivities } from '../activities/index.ts';
import { taskQueues } from './server-names.ts';

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
