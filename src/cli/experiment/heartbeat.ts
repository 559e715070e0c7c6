/** What does a step in flight show of itself by its heartbeats: how far it is, and what it waits for? */
import { defaultPayloadConverter } from '@temporalio/common';
import { z } from 'zod';
import { terminalSafe } from '../../text/safe-text.ts';
import { timeText } from '../../workflows/waiting-notes.ts';

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
