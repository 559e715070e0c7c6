import {
  isGrpcServiceError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Progress } from '../../workflows/progress.ts';
import type { Temporal } from '../server/connect.ts';
import { describeKind, ExperimentNotFound, hasWorker, NoWorker } from '../server/workflow.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** The experiment refused the update, e.g. to resume although it is not paused. */
export class Refused extends ColloquyError {
  override name = 'Refused' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
}

/** One update, e.g. `(handle) => handle.executeUpdate(pauseUpdate)`. */
export type Update = (handle: WorkflowHandle) => Promise<Progress>;

/**
 * Sends an update to a running experiment and waits for its answer, up to 30 s.
 *
 * @throws ExperimentNotFound, NoWorker, OtherKind; Refused with the experiment's own words
 */
export async function sendUpdate(temporal: Temporal, name: string, update: Update): Promise<Progress> {
  const { status } = await describeKind(temporal, name, 'experiment');
  if (status.name !== 'RUNNING') {
    const goOn = status.name === 'COMPLETED' ? '' : ' `colloquy run` goes on with it.';
    throw new Refused(`${name} is not running: it is ${status.name.toLowerCase()}.${goOn}`);
  }
  if (!(await hasWorker(temporal))) throw new NoWorker();
  const { client, address } = temporal;
  try {
    return await client.withDeadline(Date.now() + 30_000, () => update(client.workflow.getHandle(name)));
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) throw new Refused(error.cause?.message ?? error.message);
    if (error instanceof WorkflowNotFoundError) throw new ExperimentNotFound(name, address);
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcServiceError(error)) {
      throw new Refused(
        `${name} did not answer within 30 s. Is its worker alive? \`colloquy status ${name}\` shows it.`,
      );
    }
    throw error;
  }
}
