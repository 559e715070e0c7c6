/** What the server knows about the workflow of a name: whether it exists, its kind, its state, whether a worker serves it. */
import {
  ApplicationFailure,
  isGrpcServiceError,
  TerminatedFailure,
  type WorkflowExecutionStatusName,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { colloquy } from '../../config/installation.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { shellWord } from '../../text/safe-text.ts';
import type { Progress } from '../../workflows/progress.ts';
import { taskQueues } from '../../workflows/temporal.ts';
import type { Temporal } from './connect.ts';

/**
 * The server's description of the latest run of a workflow.
 *
 * @throws ExperimentNotFound
 */
export async function describe({ client, address }: Temporal, name: string) {
  try {
    return await client.workflow.getHandle(name).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new ExperimentNotFound(name, address);
    throw error;
  }
}

/**
 * The description of a workflow of this kind; null when no workflow has this name.
 *
 * @throws OtherKind
 */
export async function findWorkflow(temporal: Temporal, name: string, kind: WorkflowKind) {
  try {
    return await describeKind(temporal, name, kind);
  } catch (error) {
    if (error instanceof ExperimentNotFound) return null;
    throw error;
  }
}

/** The description of a workflow of this kind. @throws ExperimentNotFound, OtherKind */
export async function describeKind(temporal: Temporal, name: string, kind: WorkflowKind) {
  const description = await describe(temporal, name);
  if (description.type !== kind) throw new OtherKind(name, description.type, kind);
  return description;
}

/** Whether the latest run is over; a chain of runs is not over while its next run begins. */
export function hasEnded(status: WorkflowExecutionStatusName): boolean {
  return !['RUNNING', 'CONTINUED_AS_NEW', 'PAUSED'].includes(status);
}

/** The workflows that have a name of their own. A name belongs to one of them only. */
export type WorkflowKind = 'experiment' | 'study';

/** The name belongs to a workflow of another kind. */
export class OtherKind extends ColloquyError {
  override name = 'OtherKind' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(name: string, found: string, wanted: WorkflowKind) {
    super(
      `"${name}" is ${withArticle(found)}, not ${withArticle(wanted)}. ` +
        (found === 'study'
          ? `\`colloquy status ${name}\` lists its experiments, which have names of their own.`
          : `Give ${withArticle(wanted)} another name (name=…).`),
    );
  }
}

function withArticle(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Temporal has no experiment of that name. */
export class ExperimentNotFound extends ColloquyError {
  override name = 'ExperimentNotFound' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(experiment: string, address: string) {
    super(
      `There is no experiment "${experiment}" at ${address}. ` +
        '`colloquy status` lists the existing ones; `colloquy run CONFIG` starts one.',
    );
  }
}

/** A workflow ended without a result. */
export type Failed = { readonly kind: 'failed'; readonly type: string; readonly reason: string };

/** Why a workflow failed, from the error of waiting for its result. @throws any other error as it is */
export function failureOf(error: unknown): Failed {
  if (!(error instanceof WorkflowFailedError)) throw error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure)
    return { kind: 'failed', reason: cause.message, type: cause.type ?? 'Error' };
  const type = cause instanceof TerminatedFailure ? 'Terminated' : (cause?.name ?? 'Failed');
  return { kind: 'failed', reason: cause?.message || error.message, type };
}

/** No worker serves the workflows, so an experiment cannot answer. */
export class NoWorker extends ColloquyError {
  override name = 'NoWorker' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor() {
    super(noWorkerHint);
  }
}

/** What to do when no worker runs. */
export const noWorkerHint = `No worker serves the task queue "${taskQueues.control}". Start one in another terminal:  ${colloquy} worker`;

/** Whether a worker has lately asked for the workflow tasks of a queue. */
export async function hasWorker(temporal: Temporal, queue: string = taskQueues.control): Promise<boolean> {
  return isServed(temporal, queue, 'workflow');
}

/** Of temporal.api.enums.v1.TaskQueueType. */
const kinds = { workflow: 1, activity: 2 } as const;

/** Whether a worker has asked for tasks in the last 70 seconds. Its long poll lasts a minute, so a worker killed just now still counts. */
async function isServed(
  { client, namespace }: Temporal,
  queue: string,
  kind: keyof typeof kinds,
): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    // oxlint-disable-next-line no-unsafe-enum-assignment -- the enum is in @temporalio/proto, which is not ours to import
    taskQueueType: kinds[kind],
  });
  const lately = Date.now() / 1000 - 70;
  return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) > lately);
}

/** What a workflow waits for: the queue that it was started on, and those of its steps that no worker has begun. */
export type Queues = { readonly workflow: string; readonly steps: readonly string[] };

/** A sentence, with what to do, for each queue that a workflow waits for and that no worker serves. */
export async function unservedQueues(temporal: Temporal, name: string, queues: Queues): Promise<string[]> {
  const { workflow, steps } = queues;
  const hints: string[] = [];
  if (!(await isServed(temporal, workflow, 'workflow')))
    hints.push(workflow === taskQueues.control ? noWorkerHint : startedElsewhere(name, workflow));
  for (const queue of new Set(steps)) {
    if (!(await isServed(temporal, queue, 'activity')))
      hints.push(
        `Steps wait on the task queue "${queue}", which no worker serves. Start one in another terminal:  ${colloquy} worker --queues ${queue}`,
      );
  }
  return hints;
}

function startedElsewhere(name: string, queue: string): string {
  return (
    `${name} was started on the task queue "${queue}", which no worker serves: Colloquy's workers serve "${taskQueues.control}". ` +
    `End it, and start it there:  temporal workflow terminate -w ${shellWord(name)}`
  );
}

/** The experiment refused the update, e.g. to resume although it is not paused. */
export class Refused extends ColloquyError {
  override name = 'Refused' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
}

/** One update, e.g. `(handle) => handle.executeUpdate(pauseUpdate)`. */
export type Update<Answer = Progress> = (handle: WorkflowHandle) => Promise<Answer>;

/**
 * Sends an update to a running experiment and waits for its answer, up to 30 s.
 *
 * @throws ExperimentNotFound, NoWorker, OtherKind; Refused with the experiment's own words
 */
export async function sendUpdate<Answer>(
  temporal: Temporal,
  name: string,
  update: Update<Answer>,
  kind: 'experiment' | 'either' = 'experiment',
): Promise<Answer> {
  const { status, type } = await (kind === 'either'
    ? describe(temporal, name)
    : describeKind(temporal, name, kind));
  if (status.name !== 'RUNNING') {
    const goOn =
      status.name === 'COMPLETED' ? '' : ` \`colloquy ${type === 'study' ? type : 'run'}\` goes on with it.`;
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

/** How a workflow shares the workers with others; the words of the command line. */
export type Share = { readonly priority?: number | undefined; readonly weight?: number | undefined };

export type Sharing = Pick<WorkflowStartOptions, 'priority'>;

/**
 * The start options with which a workflow and all its steps share the workers with others: its name is its fairness key, and the experiments of
 * a study have the study's. A server that knows no fairness ignores them.
 */
export function sharing(name: string, { priority, weight }: Share): Sharing {
  if (priority === undefined && weight === undefined) return {};
  return {
    priority: {
      ...(priority === undefined ? {} : { priorityKey: priority }),
      // Temporal allows 64 bytes.
      fairnessKey: name.slice(0, 64),
      ...(weight === undefined ? {} : { fairnessWeight: weight }),
    },
  };
}
