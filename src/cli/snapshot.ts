import { type Client, WorkflowNotFoundError, type WorkflowExecutionStatusName } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { type Progress, type ProgressAnswer, progressQuery } from '../workflows/progress.ts';
import type { Temporal } from './connect.ts';
import { ExperimentNotFound } from './experiment-not-found.ts';
import { failureText } from './failure-text.ts';

/** How an experiment stands at a moment. */
export type Snapshot = {
  readonly status: WorkflowExecutionStatusName;
  /** Null when no worker answered in time. */
  readonly progress: Progress | null;
  readonly pending: readonly PendingActivity[];
  readonly startedAt: Date;
};

/** A step in flight. */
export type PendingActivity = {
  readonly id: string;
  /** The step in words; its id where the experiment gives no answer. */
  readonly words: string;
  readonly attempt: number;
  /** Why the attempt before failed, in words that a terminal may show. */
  readonly lastFailure: string | undefined;
  /** While it waits to be tried again. */
  readonly nextAttemptAt: Date | undefined;
  readonly heartbeat: Heartbeat | undefined;
};
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/**
 * Asks the server for the state and the steps in flight, and the experiment itself for its progress.
 *
 * @throws ExperimentNotFound
 */
export async function readSnapshot(temporal: Temporal, name: string): Promise<Snapshot> {
  const [description, progress] = await Promise.all([
    describe(temporal, name),
    readProgress(temporal.client, name),
  ]);
  return {
    status: description.status.name,
    progress,
    startedAt: description.startTime,
    pending: (description.raw.pendingActivities ?? []).map((activity) => ({
      id: activity.activityId ?? '',
      words: progress?.steps.find(({ id }) => id === activity.activityId)?.words ?? activity.activityId ?? '',
      attempt: activity.attempt ?? 1,
      lastFailure: activity.lastFailure ? failureText(activity.lastFailure) : undefined,
      nextAttemptAt: dateOf(activity.nextAttemptScheduleTime),
      heartbeat: heartbeatOf(activity.heartbeatDetails?.payloads?.[0]),
    })),
  };
}

/** Whether the latest run is over; a chain of runs is not as long as the next one begins. */
export function hasEnded(status: WorkflowExecutionStatusName): boolean {
  return !['RUNNING', 'CONTINUED_AS_NEW', 'PAUSED'].includes(status);
}

/**
 * What the server says about an experiment.
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

/** What an experiment says of itself; null when no worker answers in time. */
export async function readProgress(client: Client, name: string): Promise<ProgressAnswer | null> {
  try {
    return await client.withDeadline(Date.now() + 3_000, () =>
      client.workflow.getHandle(name).query(progressQuery),
    );
  } catch {
    // No worker, a busy one, or an experiment that has no such id: describe tells which.
    return null;
  }
}

function dateOf(time: { readonly seconds?: unknown } | null | undefined): Date | undefined {
  const seconds = Number(time?.seconds ?? 0);
  return seconds > 0 ? new Date(seconds * 1000) : undefined;
}

const heartbeatSchema = z.union([
  z.object({ answers: z.number(), total: z.number() }),
  z.object({
    step: z.number(),
    totalSteps: z.number(),
    loss: z.number().nullable().catch(null),
    tokensPerSecond: z.number().nullable().catch(null),
  }),
]);

function heartbeatOf(payload: Parameters<typeof defaultPayloadConverter.fromPayload>[0] | undefined) {
  if (payload === undefined) return undefined;
  try {
    return heartbeatSchema.safeParse(defaultPayloadConverter.fromPayload(payload)).data;
  } catch {
    // Details in another encoding are only missing from the display.
    return undefined;
  }
}
