/** What is the state of a running experiment at one moment, by the server and the worker, and how far is each of its steps, by its heartbeats? */
import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { shellWord, terminalSafe } from '../../text/safe-text.ts';
import { type Progress, type ProgressAnswer, progressQuery } from '../../workflows/progress.ts';
import { timeText } from '../../workflows/waiting-notes.ts';
import { timeoutText } from '../../workflows/temporal.ts';
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
export type PendingActivity = Shown & {
  readonly id: string;
  /** The step in words; its id where the experiment gives no answer. */
  readonly words: string;
  readonly attempt: number;
  /** Why the previous attempt failed, safe to print. */
  readonly lastFailure: string | undefined;
  /** Set while the step waits for its next attempt. */
  readonly nextAttemptAt: Date | undefined;
  /** Who paused it and why, safe to print, when an operator has paused it (`temporal activity pause`). */
  readonly pausedBy?: string;
};

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
      ...shownBy(activity.heartbeatDetails?.payloads?.[0]),
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

/** What lets a step go on that an operator has paused. */
export function unpauseCommand(experiment: string, id: string): string {
  return `temporal activity unpause -w ${shellWord(experiment)} -a ${shellWord(id)}`;
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

/** The parts of the server's failure record that people see. */
type FailureRecord = {
  readonly message?: string | null;
  readonly applicationFailureInfo?: { readonly type?: string | null } | null;
  readonly timeoutFailureInfo?: { readonly timeoutType?: number | null } | null;
};

/** Why an attempt failed, in one line: `EngineUnreachable: http://... (ECONNREFUSED)`. */
export function failureText({ message, applicationFailureInfo, timeoutFailureInfo }: FailureRecord): string {
  if (timeoutFailureInfo)
    return timeoutText(timeoutFailureInfo.timeoutType === heartbeatTimeout ? 'HEARTBEAT' : 'START_TO_CLOSE');
  const type = applicationFailureInfo?.type;
  const words = terminalSafe(message ?? 'no reason given').replace(/\s+/g, ' ');
  return `${type ? `${type}: ` : ''}${words.length > longest ? `${words.slice(0, longest)}…` : words}`;
}

const longest = 400;
/** temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT */
const heartbeatTimeout = 4;

export type Shown = {
  readonly heartbeat: Heartbeat | undefined;
  /** Set while it waits for a server that gives no answer. */
  readonly noAnswer?: z.infer<typeof noAnswerSchema> | undefined;
  /** ISO 8601. Set while it waits because a fine-tune has the device of its endpoint. */
  readonly fineTuneHasDeviceSince?: string | undefined;
  /** Set while the machine that trains has accepted the job and not begun it. */
  readonly waits?: QueuedJob | undefined;
};
export type Heartbeat = z.infer<typeof heartbeatSchema>;

type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];

export function shownBy(payload: Payload | undefined): Shown {
  return { heartbeat: detailsOf(payload, heartbeatSchema), ...detailsOf(payload, waitSchema) };
}

/** What a step does and what it waits for, each in a few words. */
export function workText({ heartbeat, noAnswer, fineTuneHasDeviceSince, waits }: Shown): string[] {
  const work =
    heartbeat === undefined
      ? []
      : 'step' in heartbeat
        ? [fineTuneText(heartbeat)]
        : [`${heartbeat.answers} of ${heartbeat.total} answers`];
  if (fineTuneHasDeviceSince !== undefined) work.push(fineTuneWaitText(fineTuneHasDeviceSince));
  if (waits !== undefined) work.push(queuedJobText(waits));
  if (noAnswer === undefined) return work;
  const { url, reason, since, until } = noAnswer;
  return [
    ...work,
    `no answer from ${terminalSafe(url)} since ${timeText(since)} (${terminalSafe(reason)}): it waits until ${timeText(until)}`,
  ];
}

/** What the heartbeat of a fine-tune says: `step 12/40, loss 0.413, 2,100 tokens/s`. */
export function fineTuneText(heartbeat: Extract<Heartbeat, { step: number }>): string {
  const parts = [`step ${heartbeat.step}/${heartbeat.totalSteps}`];
  if (heartbeat.loss !== null) parts.push(`loss ${heartbeat.loss.toFixed(3)}`);
  if (heartbeat.tokensPerSecond !== null) {
    parts.push(`${Math.round(heartbeat.tokensPerSecond).toLocaleString('en-US')} tokens/s`);
  }
  return parts.join(', ');
}

/** Why a step waits whose endpoint is on the device of the fine-tunes. */
export function fineTuneWaitText(since: string): string {
  return `since ${timeText(since)} it waits because a fine-tune has the worker's device, on which its endpoint answers`;
}

/** Where a fine-tune waits that another machine has accepted: `job ftjob-1: queued since …`. */
export function queuedJobText({ job, state, since, until }: QueuedJob): string {
  return `job ${terminalSafe(job)}: ${terminalSafe(state)} since ${timeText(since)}, waited for until ${timeText(until)}`;
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

const queuedJobSchema = z.object({
  job: z.string(),
  state: z.string(),
  since: z.iso.datetime(),
  until: z.iso.datetime(),
});
type QueuedJob = z.infer<typeof queuedJobSchema>;

const waitSchema = z.object({
  noAnswer: noAnswerSchema.optional(),
  waits: queuedJobSchema.optional(),
  fineTuneHasDeviceSince: z.iso.datetime().optional(),
});

function detailsOf<Details>(payload: Payload | undefined, schema: z.ZodType<Details>): Details | undefined {
  if (payload === undefined) return undefined;
  try {
    return schema.safeParse(defaultPayloadConverter.fromPayload(payload)).data;
  } catch {
    // Details in another encoding are left out of the display.
    return undefined;
  }
}
