import { proxyActivities } from '@temporalio/workflow';
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
 * TRY_CANCEL: a paused step would count as ended while it still runs, and could not be begun again under its id.
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
  prepare,
  adoptEvaluation,
  buildDatasets,
  evaluate,
  recordIteration,
  writeResult,
  closeNight,
  prepareStudy,
  studyCells,
  writeStudy,
} = proxyActivities<ControlActivities>({
  ...ofEveryStep,
  startToCloseTimeout: '1h',
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
  evaluate,
  recordIteration,
  writeResult,
  closeNight,
  prepareStudy,
  studyCells,
  writeStudy,
  debate,
  measureDiversity,
  fineTune,
  remakeModel,
};
