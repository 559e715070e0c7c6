import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { terminalSafe } from '../../text/terminal-safe.ts';
import { type Progress, type ProgressAnswer, progressQuery } from '../../workflows/progress.ts';
import { timeoutText } from '../../workflows/failures.ts';
import type { Temporal } from '../server/connect.ts';
import { describe, type Queues } from '../server/workflow.ts';

/** The state of an experiment at one moment. */
export type Snapshot = {
  readonly status: WorkflowExecutionStatusName;
  /** Null when no worker answered in time. */
  readonly progress: Progress | null;
  readonly pending: readonly PendingActivity[];
  readonly startedAt: Date;
  readonly queues: Queues;
};

/** A step in flight. */
export type PendingActivity = {
  readonly id: string;
  /** The step in words; its id where the experiment gives no answer. */
  readonly words: string;
  readonly attempt: number;
  /** Why the previous attempt failed, safe to print. */
  readonly lastFailure: string | undefined;
  /** Set while the step waits for its next attempt. */
  readonly nextAttemptAt: Date | undefined;
  readonly heartbeat: Heartbeat | undefined;
  /** Set while it waits for a server that gives no answer. */
  readonly noAnswer?: z.infer<typeof noAnswerSchema> | undefined;
  /** Who paused it and why, safe to print, when an operator has paused it (`temporal activity pause`). */
  readonly pausedBy?: string;
};
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/**
 * Asks the server for the state and the steps in flight, and the experiment's worker for its progress.
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
    queues: {
      workflow: description.taskQueue,
      steps: (description.raw.pendingActivities ?? []).flatMap(({ state, activityOptions }) =>
        Number(state) === scheduled && activityOptions?.taskQueue?.name
          ? [activityOptions.taskQueue.name]
          : [],
      ),
    },
    pending: (description.raw.pendingActivities ?? []).map((activity) => ({
      id: activity.activityId ?? '',
      words: progress?.steps.find(({ id }) => id === activity.activityId)?.words ?? activity.activityId ?? '',
      attempt: activity.attempt ?? 1,
      lastFailure: activity.lastFailure ? failureText(activity.lastFailure) : undefined,
      nextAttemptAt: dateOf(activity.nextAttemptScheduleTime),
      heartbeat: detailsOf(activity.heartbeatDetails?.payloads?.[0], heartbeatSchema),
      noAnswer: detailsOf(activity.heartbeatDetails?.payloads?.[0], waitSchema)?.noAnswer,
      ...(activity.paused === true ? { pausedBy: operatorOf(activity.pauseInfo) } : {}),
    })),
  };
}

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED */
const scheduled = 1;

type PauseRecord = {
  readonly manual?: { readonly identity?: string | null; readonly reason?: string | null } | null;
};

function operatorOf(pause: PauseRecord | null | undefined): string {
  const { identity, reason } = pause?.manual ?? {};
  return terminalSafe(`${identity || 'an operator'}${reason ? `: ${reason}` : ''}`);
}

/** The experiment's answer to the query for its progress; null when no worker answers within 3 s. */
export async function readProgress(client: Client, name: string): Promise<ProgressAnswer | null> {
  try {
    return await client.withDeadline(Date.now() + 3_000, () =>
      client.workflow.getHandle(name).query(progressQuery),
    );
  } catch {
    // No worker, a busy one, or no experiment of this name: `describe` finds out which.
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
    iteration: z.number(),
    agent: z.number(),
    role: z.string(),
  }),
]);

const noAnswerSchema = z.object({
  url: z.string(),
  reason: z.string(),
  since: z.iso.datetime(),
  until: z.iso.datetime(),
});
const waitSchema = z.object({ noAnswer: noAnswerSchema.optional() });

function detailsOf<Details>(
  payload: Parameters<typeof defaultPayloadConverter.fromPayload>[0] | undefined,
  schema: z.ZodType<Details>,
): Details | undefined {
  if (payload === undefined) return undefined;
  try {
    return schema.safeParse(defaultPayloadConverter.fromPayload(payload)).data;
  } catch {
    // Details in another encoding are left out of the display.
    return undefined;
  }
}

/** The parts of the server's failure record that people see. */
type FailureRecord = {
  readonly message?: string | null;
  readonly applicationFailureInfo?: { readonly type?: string | null } | null;
  readonly timeoutFailureInfo?: { readonly timeoutType?: number | null } | null;
};

/** Why an attempt failed, in one line: `EngineUnreachable: http://... (ECONNREFUSED)`. */
export function failureText({ message, applicationFailureInfo, timeoutFailureInfo }: FailureRecord): string {
  if (timeoutFailureInfo)
    return timeoutText(timeoutFailureInfo.timeoutType === heartbeat ? 'HEARTBEAT' : 'START_TO_CLOSE');
  const type = applicationFailureInfo?.type;
  const words = terminalSafe(message ?? 'no reason given').replace(/\s+/g, ' ');
  return `${type ? `${type}: ` : ''}${words.length > longest ? `${words.slice(0, longest)}…` : words}`;
}

const longest = 400;
/** temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT */
const heartbeat = 4;
