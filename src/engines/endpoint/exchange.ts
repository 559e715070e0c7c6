/** One request and its answer over HTTP, by axios. Statuses are told apart by the caller; here only the wire can fail. */
import { isUtf8 } from 'node:buffer';
import { Axios, isAxiosError } from 'axios';
import { EngineAnswerInvalid, EngineClosed, EngineUnreachable } from '../errors.ts';
import { createHttpAdapter } from './http-adapter.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

export interface Exchange {
  /**
   * @throws EngineUnreachable when no whole answer came within the time; EngineAnswerInvalid when it is no HTTP, no
   *   UTF-8 or too large; EngineClosed after `close`; the signal's reason
   */
  send(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeAnswer>;
  /** Closes all connections; requests under way fail with EngineClosed. */
  close(): void;
}

export interface ExchangeRequest {
  readonly url: string;
  /** Sent as JSON by POST; a GET without it. */
  readonly body?: unknown;
  readonly key: string | undefined;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
}

/** @param timeoutMs how long an answer may take, from the request to its last byte */
export function createExchange(timeoutMs: number): Exchange {
  const adapter = createHttpAdapter(timeoutMs, largestAnswer);
  // Whatever is the same for every request is the adapter's: axios would copy and merge it for each.
  const client = new Axios({ adapter: adapter.send });
  let closed = false;

  return {
    async send({ url, body, key }, signal) {
      for (let again = true; ; again = false) {
        signal.throwIfAborted();
        if (closed) throw new EngineClosed(shownUrl(url));
        try {
          const { status, data, headers } = await client.request<Buffer>({
            url,
            ...(body === undefined ? {} : { data: JSON.stringify(body) }),
            ...(key === undefined ? {} : { headers: { Authorization: `Bearer ${key}` } }),
            signal,
          });
          const { 'retry-after': retryAfter, location } = headers;
          return {
            status,
            text: decode(data, url),
            retryAfter: asText(retryAfter),
            location: asText(location),
          };
        } catch (error) {
          signal.throwIfAborted();
          if (closed) throw new EngineClosed(shownUrl(url));
          if (!isAxiosError(error)) throw error;
          // The server closed a kept connection just as this request took it: it has seen nothing of the request.
          if (again && wasStaleConnection(error)) continue;
          throw withoutRequest(error, url, timeoutMs);
        }
      }
    },
    close() {
      closed = true;
      adapter.close();
    },
  };
}

/** What is longer is not read to its end: an answer of a hundred thousand tokens is half a megabyte. Bytes. */
export const largestAnswer = 8 * 2 ** 20;

/** `url` as it may be shown: without a password and without its query. */
export function shownUrl(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1').replace(/[?#].*$/, '');
}

function decode(data: Buffer, url: string): string {
  if (isUtf8(data)) return data.toString('utf8');
  throw new EngineAnswerInvalid(shownUrl(url), 'its bytes are not UTF-8', '');
}

function asText(header: unknown): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

function wasStaleConnection(error: { readonly code?: string; readonly request?: unknown }): boolean {
  const { request } = error;
  const reused = typeof request === 'object' && request !== null && 'reusedSocket' in request;
  return reused && request.reusedSocket === true && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

/** An axios error carries the request's headers, and so the key: only its code and kind go further. */
function withoutRequest(
  error: { readonly code?: string; readonly message: string },
  url: string,
  timeoutMs: number,
): Error {
  const shown = shownUrl(url);
  const code = error.code ?? 'no connection';
  if (code.startsWith('HPE_')) return new EngineAnswerInvalid(shown, `it is not HTTP (${code})`, '');
  switch (code) {
    case 'TOO_LARGE':
      return new EngineAnswerInvalid(shown, `it is larger than ${largestAnswer} bytes`, '');
    case 'TIMEOUT':
      return new EngineUnreachable(shown, 'timeout', `It did not answer within ${timeoutMs / 1000} s.`);
    case 'ECONNRESET':
      return new EngineUnreachable(shown, code, 'The connection broke before the whole answer had come.');
    default:
      return new EngineUnreachable(shown, code);
  }
}

/** Keys live in environment variables only: read when a request is sent, and struck out of whatever a server says. */

/**
 * The key in the environment variable `variable`; undefined when no variable is named.
 *
 * @throws ApiKeyMissing when the variable is unset, empty, or could not be sent in an HTTP header
 */
export function readApiKey(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined;
  const key = process.env[variable]?.trim();
  if (key === undefined || key === '') throw new ApiKeyMissing(variable, 'is not set');
  if (!/^[\x21-\x7e]+$/.test(key)) throw new ApiKeyMissing(variable, 'holds characters that no key has');
  return key;
}

/** `text` without the key, as it is and as JSON or a URL would write it, for servers that repeat what they were sent. */
export function withoutKey(text: string, key: string | undefined): string {
  if (key === undefined) return text;
  const written = [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)];
  return written.reduce((shown, each) => shown.replaceAll(each, '[key]'), text);
}

/** The environment variable that an endpoint names for its key is of no use. */
export class ApiKeyMissing extends ColloquyError {
  override name = 'ApiKeyMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Name of the environment variable. */
  readonly variable: string;

  constructor(variable: string, fault: string) {
    super(
      `The environment variable ${variable}, which the endpoint's api_key_env names, ${fault}. Set it where the worker runs.`,
    );
    this.variable = variable;
  }
}
