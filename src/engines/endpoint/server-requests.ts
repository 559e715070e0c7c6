/**
 * Requests to one server, each sent until it is answered: a busy server (429, 503) is waited for here, so that one refusal does not
 * cost a whole shard, and one that gives no answer at all (outages.ts). Every other trouble is an error named after its cause.
 */
import type { z } from 'zod';
import { pause } from '../waiting.ts';
import { EngineAnswerInvalid, EngineBusy, EngineUnreachable } from '../errors.ts';
import { createHttpClient, type HttpAnswer, readApiKey, shownUrl, withoutKey } from './http.ts';
import { createOutages, type NoAnswer } from './outages.ts';
import { isBusy, refusal, retryDelay, serverWords } from './protocol.ts';

export interface ServerRequests {
  /**
   * The server's answer; by POST when there is a `body`.
   *
   * @param path behind the server's URL
   * @param body a FormData is sent as a form, anything else as JSON
   * @param onBusy called when the server asks for patience
   */
  ask(path: string, body: unknown, signal: AbortSignal, onBusy?: OnBusy): Promise<HttpAnswer>;
  /** Has the server remove what is at `path`. */
  remove(path: string, signal: AbortSignal): Promise<void>;
  /**
   * A page of the server that is not part of the protocol, such as `/health`.
   *
   * @throws EngineUnreachable at once when there is no answer
   */
  page(path: string, signal: AbortSignal): Promise<HttpAnswer>;
  /** Whether the server answers now. */
  isThere(signal: AbortSignal): Promise<boolean>;
  /** @throws EngineAnswerInvalid when `text`, the answer to a request to `path`, is no such JSON */
  parse<T>(schema: z.ZodType<T>, path: string, text: string): T;
  invalidAnswer(path: string, fault: string, text: string): EngineAnswerInvalid;
  /** `text` without the key. */
  withoutKey(text: string): string;
  /** The URL in the form that messages may show. */
  readonly url: string;
  /** Closes the connections; requests under way fail. */
  close(): void;
}

/** Called with the time until which a busy server is left alone, before it is; or with the outage of a server that is waited for. */
export type OnBusy = (until: Date, noAnswer?: NoAnswer) => void;

export interface ServerOptions {
  /** As OpenAI's own clients take it: `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /** Name of the environment variable that holds the key; read for each request. */
  readonly apiKeyEnv?: string | undefined;
  /** How long one answer may take. Milliseconds; 10 minutes by default. */
  readonly timeoutMs?: number;
  /**
   * How long a busy server is waited for before EngineBusy, all waits of a request together. Milliseconds; 10 minutes by default.
   * A server that asks for more than a minute at once is not waited for here: Temporal waits, where people can see it.
   */
  readonly patienceMs?: number;
  /** How long a server that gives no answer at all is waited for (outages.ts). Milliseconds; by default it is not waited for. */
  readonly outageMs?: number;
  /** Whether it is one of several servers (replicas.ts): then the caller counts the connections that break, and none is hidden from it. */
  readonly oneOfSeveral?: boolean;
  /** Whether a request is sent once only, because the server would carry it out twice. */
  readonly sendsOnce?: boolean;
}

/** A minute, with the tenth that retryDelay adds by chance: its own back-off is never longer. */
const longestWaitMs = 66_000;

/**
 * Keeps connections to the server open.
 *
 * Its calls throw EngineUnreachable, EngineSilent, RequestEndsServer, EngineFailed, EngineBusy, EngineRefused, EngineAnswerInvalid,
 * EngineClosed and ApiKeyMissing.
 * None of them carries the key or a request's headers.
 */
export function createServerRequests(options: ServerOptions): ServerRequests {
  const base = options.url.replace(/\/+$/, '');
  const patienceMs = options.patienceMs ?? 600_000;
  const outageMs = options.outageMs ?? 0;
  const http = createHttpClient(
    options.timeoutMs ?? 600_000,
    outageMs === 0 && !options.oneOfSeveral && !options.sendsOnce,
  );
  const looks = createHttpClient(10_000);
  const page = (path: string, signal: AbortSignal): Promise<HttpAnswer> =>
    looks.send({ url: `${base.replace(/\/v1$/, '')}${path}`, key: readApiKey(options.apiKeyEnv) }, signal);
  async function isThere(signal: AbortSignal): Promise<boolean> {
    try {
      // Servers that know no such page refuse it, and so are there. vLLM and llama.cpp answer 503 when their engine is not there.
      return (await page('/health', signal)).status < 500;
    } catch (error) {
      if (error instanceof EngineUnreachable) return false;
      throw error;
    }
  }
  const outages = createOutages({ url: shownUrl(base), patienceMs: outageMs, isThere });

  function invalidAnswer(path: string, fault: string, text: string): EngineAnswerInvalid {
    const shown = (words: string): string => withoutKey(words, readApiKey(options.apiKeyEnv)).slice(0, 200);
    return new EngineAnswerInvalid(shownUrl(base + path), shown(fault), shown(text));
  }

  async function askUntilFree(
    path: string,
    body: unknown,
    signal: AbortSignal,
    onBusy: OnBusy | undefined,
    method?: 'DELETE',
  ): Promise<HttpAnswer> {
    const url = `${base}${path}`;
    let waitedMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      const key = readApiKey(options.apiKeyEnv);
      const answer = await http.send({ url, body, key, ...(method && { method }) }, signal);
      if (answer.status >= 200 && answer.status < 300) return answer;
      const words = serverWords(answer, key);
      if (!isBusy(answer, words)) throw refusal(shownUrl(url), answer.status, words, key !== undefined);
      const delay = retryDelay(answer.retryAfter, attempt);
      if (delay > longestWaitMs || waitedMs + delay > patienceMs) {
        throw new EngineBusy(shownUrl(url), answer.status, waitedMs, delay, words);
      }
      onBusy?.(new Date(Date.now() + delay));
      await pause(delay, signal);
      waitedMs += delay;
    }
  }

  return {
    ask: (path, body, signal, onBusy) =>
      outages.outlast(
        () => JSON.stringify([path, body]),
        signal,
        () => askUntilFree(path, body, signal, onBusy),
        (outage) => onBusy?.(outage.until, outage),
      ),
    async remove(path, signal) {
      await askUntilFree(path, undefined, signal, undefined, 'DELETE');
    },
    page,
    isThere,
    parse(schema, path, text) {
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        throw invalidAnswer(path, 'it is not JSON', text);
      }
      const parsed = schema.safeParse(json);
      if (parsed.success) return parsed.data;
      const issue = parsed.error.issues[0];
      const fault = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}`;
      throw invalidAnswer(path, fault, text);
    },
    invalidAnswer,
    withoutKey: (text) => withoutKey(text, readApiKey(options.apiKeyEnv)),
    url: shownUrl(base),
    close() {
      outages.close();
      looks.close();
      http.close();
    },
  };
}
