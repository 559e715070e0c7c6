import {
  isGrpcServiceError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Progress } from '../workflows/progress.ts';
import { type Temporal, withTemporal } from './connect.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { experimentName } from './experiment-argument.ts';
import { ExperimentNotFound } from './experiment-not-found.ts';
import { hasWorker, NoWorker } from './no-worker.ts';
import { printJson } from './print-json.ts';
import { describe } from './snapshot.ts';
import { requireKind } from './workflow-kind.ts';

/** The experiment refused what was asked of it, e.g. to resume what is not paused. */
export class Refused extends Error {
  override name = 'Refused' as const;
}

/** One update, e.g. `(handle) => handle.executeUpdate(pauseUpdate)`. */
type Update = (handle: WorkflowHandle) => Promise<Progress>;

/** Sends an update to the experiment named on the command line and says `said`. */
export async function steer(
  args: { readonly name: string; readonly json: boolean },
  update: Update,
  said: string | ((progress: Progress) => string),
): Promise<ExitCode> {
  const name = experimentName(args.name);
  const progress = await withTemporal((temporal) => sendUpdate(temporal, name, update));
  if (args.json) printJson(progress);
  else console.log(`${name}: ${typeof said === 'string' ? said : said(progress)}`);
  return exitCodes.ok;
}

/**
 * Sends an update and waits for its answer.
 *
 * @throws ExperimentNotFound, NoWorker, OtherKind; Refused with the experiment's own words
 */
export async function sendUpdate(temporal: Temporal, name: string, update: Update): Promise<Progress> {
  const description = await describe(temporal, name);
  requireKind(name, description, 'experiment');
  const { status } = description;
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
        `${name} did not answer within 30 s. Is its worker alive? \`colloquy status ${name}\` tells.`,
      );
    }
    throw error;
  }
}
