/** One request and its answer over HTTP, by axios. Statuses are told apart by the caller; here only the wire can fail. */
import { isUtf8 } from 'node:buffer';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { create, isAxiosError } from 'axios';
import { EngineAnswerInvalid } from './engine-answer-invalid.ts';
import { EngineClosed } from './engine-closed.ts';
import { EngineUnreachable } from './engine-unreachable.ts';
import { onAbort } from './on-abort.ts';

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
  // The last used connection first: idle ones then time out on our side before a server closes them under a request.
  const agentOptions = { keepAlive: true, scheduling: 'lifo' } as const;
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  const client = create({
    adapter: 'http',
    httpAgent,
    httpsAgent,
    proxy: false,
    // 0 also spares axios its redirect library, a third of its cost.
    maxRedirects: 0,
    decompress: false,
    responseType: 'arraybuffer',
    validateStatus: null,
    transformRequest: [],
    transformResponse: [],
    maxContentLength: largestAnswer,
    maxBodyLength: Infinity,
  });

  const underWay = new Set<AbortController>();
  let closed = false;

  async function once(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeAnswer> {
    signal.throwIfAborted();
    if (closed) throw new EngineClosed(shownUrl(request.url));
    // One controller for the three that may end a request; AbortSignal.any would cost more than the request.
    const ending = new AbortController();
    const end = (): void => ending.abort();
    const timer = setTimeout(end, timeoutMs);
    const stopListening = onAbort(signal, end);
    underWay.add(ending);
    try {
      const { url, body, key } = request;
      const response = await client.request<unknown>({
        url,
        method: body === undefined ? 'GET' : 'POST',
        headers: headersFor(body !== undefined, key),
        ...(body === undefined ? {} : { data: JSON.stringify(body) }),
        signal: ending.signal,
      });
      const { 'retry-after': retryAfter, location } = response.headers;
      return {
        status: response.status,
        text: decode(response.data, url),
        retryAfter: asText(retryAfter),
        location: asText(location),
      };
    } finally {
      clearTimeout(timer);
      stopListening();
      underWay.delete(ending);
    }
  }

  return {
    async send(request, signal) {
      for (let again = true; ; again = false) {
        try {
          return await once(request, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (closed) throw new EngineClosed(shownUrl(request.url));
          if (!isAxiosError(error)) throw error;
          // The server closed a kept connection just as this request took it: it has seen nothing of the request.
          if (again && wasStaleConnection(error)) continue;
          throw withoutRequest(error, request.url, timeoutMs);
        }
      }
    },
    close() {
      closed = true;
      for (const ending of underWay) ending.abort();
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

const largestAnswer = 64 * 2 ** 20;

function headersFor(hasBody: boolean, key: string | undefined): Record<string, string> {
  return {
    Accept: 'application/json',
    'Accept-Encoding': 'identity',
    'User-Agent': 'colloquy',
    ...(hasBody ? { 'Content-Type': 'application/json' } : {}),
    ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
  };
}

/** `url` as it may be shown: without a password and without its query. */
export function shownUrl(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1').replace(/[?#].*$/, '');
}

function decode(data: unknown, url: string): string {
  if (!Buffer.isBuffer(data)) return '';
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
  if (error.message.startsWith('maxContentLength')) {
    return new EngineAnswerInvalid(shown, `it is larger than ${largestAnswer} bytes`, '');
  }
  if (code.startsWith('HPE_')) return new EngineAnswerInvalid(shown, `it is not HTTP (${code})`, '');
  switch (code) {
    case 'ERR_CANCELED':
      return new EngineUnreachable(shown, 'timeout', `It did not answer within ${timeoutMs / 1000} s.`);
    case 'ERR_BAD_RESPONSE':
    case 'ECONNRESET':
      return new EngineUnreachable(shown, code, 'The connection broke before the whole answer had come.');
    default:
      return new EngineUnreachable(shown, code);
  }
}
