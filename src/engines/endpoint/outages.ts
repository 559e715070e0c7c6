/**
 * What when a server gives no answer at all? One of many gigabytes needs its time to start again, so it is waited for, by the hour, and what was
 * in flight is asked again. But a request under which it dies twice is asked no more.
 */
import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { emit } from '../../observe/events.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { abortable, pause } from '../waiting.ts';
import { EngineClosed, EngineFailed, EngineUnreachable } from '../errors.ts';
import { isDeath } from './refusals.ts';

/** Since when a server gives no answer, until when it is waited for, and what happened to the first request that got none. */
export type NoAnswer = {
  readonly url: string;
  readonly since: Date;
  readonly until: Date;
  readonly reason: string;
};

export interface Outages {
  /**
   * Sends a request, and again when the server is there again after it gave no answer.
   *
   * @param request what is sent: tells one request from another
   * @param onNoAnswer called when the request begins to wait
   * @param elsewhere whether another server would get the request now: then it is not waited
   * @throws EngineSilent, RequestEndsServer, or the errors of `send`
   */
  outlast<Answer>(
    request: () => string,
    signal: AbortSignal,
    send: () => Promise<Answer>,
    onNoAnswer?: (outage: NoAnswer) => void,
    elsewhere?: () => boolean,
  ): Promise<Answer>;
  /** Waits no more. */
  close(): void;
}

export type OutageOptions = {
  /** Of the server, for messages. */
  readonly url: string;
  /** How long it is waited for. Milliseconds. */
  readonly patienceMs: number;
  /** Whether the server answers now. */
  readonly isThere: (signal: AbortSignal) => Promise<boolean>;
};

/** How long until the next look whether a server is there, after so many looks. Milliseconds: half a second at first, and it doubles up to 15 s. */
export function nextLookMs(looks: number): number {
  return Math.min(15_000, 500 * 2 ** looks);
}

export function createOutages({ url, patienceMs, isThere }: OutageOptions): Outages {
  const closing = new AbortController();
  /** Requests that were in flight when the server died, each sent again with no other of them beside it. */
  const suspects = new Set<string>();
  const oneByOne = pLimit(1);
  let outage: (NoAnswer & { readonly over: Promise<void> }) | undefined;

  function begin(reason: string): NoAnswer & { readonly over: Promise<void> } {
    const since = new Date();
    const until = new Date(since.getTime() + patienceMs);
    const facts = { url, since, until, reason };
    const begun = { ...facts, over: untilThere(facts) };
    outage = begun;
    emit('no answer', facts);
    begun.over.then(
      () => emit('answers again', { url, since }),
      () => undefined,
    );
    begun.over.catch(() => undefined).finally(() => (outage = undefined));
    return begun;
  }

  async function untilThere(facts: NoAnswer): Promise<void> {
    for (let look = 0; ; look += 1) {
      await pause(nextLookMs(look), closing.signal);
      if (await isThere(closing.signal)) return;
      if (Date.now() >= facts.until.getTime()) throw new EngineSilent(facts);
    }
  }

  /** @throws RequestEndsServer */
  function suspect(key: string, reason: string): void {
    if (!suspects.delete(key)) return void suspects.add(key);
    throw new RequestEndsServer(url, reason);
  }

  return {
    async outlast(request, signal, send, onNoAnswer, elsewhere) {
      for (;;) {
        const key = suspects.size > 0 ? keyOf(request()) : '';
        try {
          if (!suspects.has(key)) return await send();
          const answer = await oneByOne(async () => (signal.throwIfAborted(), send()));
          suspects.delete(key);
          return answer;
        } catch (error) {
          signal.throwIfAborted();
          const reason = noAnswerReason(error);
          const goesElsewhere = elsewhere?.() === true;
          if (reason === null || (patienceMs === 0 && !goesElsewhere)) throw error;
          // Only a request that has arrived can have ended the server, which may be there again already.
          const mayHaveEndedIt = isDeath(error) || (error instanceof EngineUnreachable && error.brokeAtOnce);
          if (mayHaveEndedIt) suspect(keyOf(request()), reason);
          if (goesElsewhere) continue;
          if (outage === undefined && !isDeath(error) && (await isThere(signal))) {
            // It is back already.
            if (mayHaveEndedIt || reason === 'ECONNREFUSED') continue;
            // A server that is there, although it broke off its answer or was slow, has answered in its way.
            throw error;
          }
          const known = outage ?? begin(reason);
          onNoAnswer?.(known);
          await abortable(known.over, signal);
        }
      }
    },
    close: () => closing.abort(new EngineClosed(url)),
  };
}

/** Why a request got no answer, in a word; null when it got one, be it a refusal. A gateway says 502 or 504 for a server that is away. */
export function noAnswerReason(error: unknown): string | null {
  if (error instanceof EngineUnreachable) return /^(EPROTO|ERR_SSL)/.test(error.reason) ? null : error.reason;
  if (isDeath(error)) return 'its engine died';
  const away = error instanceof EngineFailed && (error.status === 502 || error.status === 504);
  return away ? `status ${error.status}` : null;
}

function keyOf(request: string): string {
  return createHash('sha256').update(request).digest('base64');
}

/** A server gave no answer for as long as it is waited for. */
export class EngineSilent extends ColloquyError {
  override name = 'EngineSilent' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor({ url, since, reason }: NoAnswer) {
    const minutes = Math.round((Date.now() - since.getTime()) / 60_000);
    super(
      `No answer from ${url} for ${minutes} minutes (${reason}), and it is not waited for any longer: patience_minutes of the endpoint. ` +
        'Start the server again, and then try again.',
    );
  }
}

/** The connection broke twice under the same request, the second time with nothing beside it that was there the first time. */
export class RequestEndsServer extends ColloquyError {
  override name = 'RequestEndsServer' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, reason: string) {
    super(
      `${url} ended twice while it was answering this request (${reason}), so the request is not sent a third time. ` +
        'The log of the server has the cause. If it was ended from outside, or a proxy before it broke the connection, try again.',
    );
  }
}
