/** One request and its answer over HTTP, by axios. The caller judges statuses; here only the connection can fail. */
import { isUtf8 } from 'node:buffer';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Axios, type GenericAbortSignal, isAxiosError } from 'axios';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { onAbort } from '../waiting.ts';
import { EngineAnswerInvalid, EngineClosed, EngineUnreachable } from '../errors.ts';

export interface HttpClient {
  /**
   * @throws EngineUnreachable when no whole answer came within the time; EngineAnswerInvalid when it is not HTTP, not
   *   UTF-8 or too large; EngineClosed after `close`; the signal's reason
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** Closes all connections; requests under way fail with EngineClosed. */
  close(): void;
}

export interface HttpRequest {
  readonly url: string;
  /** Sent by POST: a form as a form, anything else as JSON. Without it, the request is a GET. */
  readonly body?: unknown;
  /** Where it is neither. */
  readonly method?: 'DELETE';
  readonly key: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
  /** The weights that gave the answer, where the server names them (engine/serve.py does). */
  readonly weights: string | undefined;
}

/** A longer answer is not read to its end: an answer of a hundred thousand tokens is half a megabyte. Bytes. */
const largestAnswer = 8 * 2 ** 20;

/**
 * @param timeoutMs how long an answer may take, from the request to its last byte
 * @param sendsAgain whether a request is sent again whose connection had been kept open and broke. The server may have closed that connection
 *   a moment before, or have died of the request: a caller that has to know sends it again by itself
 */
export function createHttpClient(timeoutMs: number, sendsAgain = true): HttpClient {
  // axios sets this delay on the socket of each request. With another value here, each request would set the delay of its socket twice.
  const kept = { keepAlive: true, keepAliveMsecs: 60_000 };
  const httpAgent = new HttpAgent(kept);
  const httpsAgent = new HttpsAgent(kept);
  const axios = new Axios({
    adapter: 'http',
    httpAgent,
    httpsAgent,
    proxy: false,
    maxRedirects: 0,
    maxContentLength: largestAnswer,
    maxBodyLength: Infinity,
    decompress: false,
    responseType: 'arraybuffer',
  });
  const underWay = new Set<RequestEnd>();
  let closed = false;

  /** axios's own timeout starts again with every byte, and ours is for the whole answer. */
  async function request({ url, body, key, method }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const ending = new RequestEnd();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      ending.abort();
    }, timeoutMs);
    const stopListening = onAbort(signal, () => ending.abort());
    underWay.add(ending);
    try {
      const { status, data, headers } = await axios.request<Buffer>({
        url,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        ...(body === undefined ? {} : { data: body instanceof FormData ? body : JSON.stringify(body) }),
        headers: {
          Accept: 'application/json',
          'Accept-Encoding': 'identity',
          'User-Agent': 'colloquy',
          ...(body === undefined || body instanceof FormData ? {} : { 'Content-Type': 'application/json' }),
          ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
        },
        signal: ending,
      });
      const { 'retry-after': retryAfter, location, 'colloquy-weights': weights } = headers;
      return {
        status,
        text: decode(data, url),
        retryAfter: asText(retryAfter),
        location: asText(location),
        weights: asText(weights),
      };
    } catch (error) {
      if (!late) throw error;
      throw new EngineUnreachable(
        shownUrl(url),
        'timeout',
        `It did not answer within ${timeoutMs / 1000} s.`,
      );
    } finally {
      clearTimeout(timer);
      stopListening();
      underWay.delete(ending);
    }
  }

  return {
    async send(sent, signal) {
      for (let again = sendsAgain; ; again = false) {
        signal.throwIfAborted();
        if (closed) throw new EngineClosed(shownUrl(sent.url));
        try {
          return await request(sent, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (closed) throw new EngineClosed(shownUrl(sent.url));
          if (!isAxiosError(error)) throw error;
          // The server closed a kept connection just as this request took it: it has seen nothing of the request.
          if (again && wasStaleConnection(error)) continue;
          throw withoutRequest(error, shownUrl(sent.url));
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

/**
 * Ends one request. axios needs no more of a signal than this, and an AbortController for each request would cost a third of all
 * that the request costs (docs/benchmarks.md).
 */
class RequestEnd implements GenericAbortSignal {
  aborted = false;
  #end: (() => void) | undefined;

  addEventListener(_: string, end: () => void): void {
    this.#end = end;
  }

  removeEventListener(): void {
    this.#end = undefined;
  }

  abort(): void {
    this.aborted = true;
    this.#end?.();
  }
}

/** The form of `url` that messages may show: without its password and its query. */
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

type RequestError = { readonly code?: string; readonly message: string; readonly request?: unknown };

function wasStaleConnection({ code, request }: RequestError): boolean {
  const reused = typeof request === 'object' && request !== null && 'reusedSocket' in request;
  return reused && request.reusedSocket === true && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** An axios error carries the request's headers, and so the key: only its code goes further. */
function withoutRequest({ code = 'no connection', message }: RequestError, url: string): Error {
  if (code.startsWith('HPE_')) return new EngineAnswerInvalid(url, `it is not HTTP (${code})`, '');
  if (message.startsWith('maxContentLength'))
    return new EngineAnswerInvalid(url, `it is larger than ${largestAnswer} bytes`, '');
  if (code === 'ECONNRESET' || message === 'stream has been aborted')
    return new EngineUnreachable(
      url,
      'ECONNRESET',
      'The connection broke before the whole answer had come.',
      message !== 'stream has been aborted',
    );
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return new EngineUnreachable(
      url,
      code,
      'The server does not speak TLS there: does its URL begin with http:// and not https://?',
    );
  return new EngineUnreachable(url, code);
}

/**
 * The key in the environment variable `variable`; undefined when no variable is named. Keys are only in environment
 * variables: they are read for each request, and taken out of whatever a server answers.
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
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** Name of the environment variable. */
  readonly variable: string;

  constructor(variable: string, fault: string) {
    super(
      `The environment variable ${variable}, which api_key_env names, ${fault}. Set it where the worker runs.`,
    );
    this.variable = variable;
  }
}
