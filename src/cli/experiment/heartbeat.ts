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
};
export type Heartbeat = z.infer<typeof heartbeatSchema>;

type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];

export function shownBy(payload: Payload | undefined): Shown {
  return { heartbeat: detailsOf(payload, heartbeatSchema), ...detailsOf(payload, waitSchema) };
}

/** What a step does and what it waits for, each in a few words. */
export function workText({ heartbeat, noAnswer, fineTuneHasDeviceSince }: Shown): string[] {
  const work =
    heartbeat === undefined
      ? []
      : 'step' in heartbeat
        ? [fineTuneText(heartbeat)]
        : [`${heartbeat.answers} of ${heartbeat.total} answers`];
  if (fineTuneHasDeviceSince !== undefined) work.push(fineTuneWaitText(fineTuneHasDeviceSince));
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

const waitSchema = z.object({
  noAnswer: noAnswerSchema.optional(),
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
