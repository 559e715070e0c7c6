/** The front of `colloquy serve`: OpenAI's chat completions, where one request is a debate and a vote. */
import { randomInt, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EngineBusy, EngineRefused } from '../engines/errors.ts';
import { PromptTooLong } from '../engines/endpoint/refusals.ts';
import {
  answerOf,
  chunks,
  completion,
  parseChatRequest,
  refusedOnLoopback,
  type ReplyHead,
  sendError,
  sendJson,
  ServeError,
} from './chat.ts';
import type { Debaters } from './debaters.ts';

export type FrontOptions = {
  readonly debaters: Pick<Debaters, 'experiment' | 'debate'>;
  /** The key that clients have to send; without one, none is needed. */
  readonly apiKey?: string | undefined;
  /** Whether it listens on this machine alone. Then a web page on another host is refused (DNS rebinding). */
  readonly loopback: boolean;
  /** Called with each error that is no fault of a request. */
  readonly onError?: (error: unknown) => void;
};

/** A server that is not listening yet. A request whose client goes away ends its debate. */
export function createFront(options: FrontOptions): Server {
  const began = Math.floor(Date.now() / 1000);
  return createServer((request, response) => {
    handle(request, response, began, options).catch((error: unknown) => {
      const known = asServeError(error);
      if (known.status >= 500) options.onError?.(error);
      sendError(response, known);
    });
  });
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  began: number,
  { debaters, apiKey, loopback }: FrontOptions,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  requireAllowed(request, apiKey, loopback);
  const model = {
    id: debaters.experiment,
    object: 'model',
    created: began,
    owned_by: 'colloquy',
  };
  if (path === '/health' || path === '/v1/models' || path.startsWith('/v1/models/')) {
    requireMethod(request, path, 'GET');
    if (path === '/health') return sendJson(response, 200, { status: 'ok' });
    if (path === '/v1/models') return sendJson(response, 200, { object: 'list', data: [model] });
    const named = decoded(path.slice('/v1/models/'.length));
    if (named !== debaters.experiment) throw unknownModel(named);
    return sendJson(response, 200, model);
  }
  if (path !== '/v1/chat/completions')
    throw new ServeError(404, `Invalid URL (${request.method ?? ''} ${path})`, { code: 'unknown_url' });
  requireMethod(request, path, 'POST');
  return complete(request, response, debaters);
}

async function complete(
  request: IncomingMessage,
  response: ServerResponse,
  debaters: FrontOptions['debaters'],
): Promise<void> {
  const parsed = parseChatRequest(await jsonBody(request));
  if ('message' in parsed) throw new ServeError(400, parsed.message, { param: parsed.param });
  if (parsed.model !== debaters.experiment) throw unknownModel(parsed.model);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const head: ReplyHead = {
    id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: debaters.experiment,
  };
  const answering = debaters.debate(parsed.question, {
    seed: parsed.seed ?? randomInt(2_147_483_647),
    sampling: parsed.sampling,
    signal: gone.signal,
  });
  if (!parsed.stream) {
    const debate = await answering;
    return sendJson(response, 200, completion(head, answerOf(debate), debate.tokens));
  }
  // A debate sends no text before its vote: comments keep the connection open, and clients ignore them.
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  response.write(': debating\n\n');
  const alive = setInterval(() => response.write(': debating\n\n'), 10_000);
  try {
    const debate = await answering;
    for (const each of chunks(head, answerOf(debate), debate.tokens, parsed.includeUsage))
      response.write(`data: ${JSON.stringify(each)}\n\n`);
    response.end('data: [DONE]\n\n');
  } finally {
    clearInterval(alive);
  }
}

const longestBody = 10 * 1024 * 1024;

async function jsonBody(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  // A web page cannot send this type to another host without asking first.
  if (!/^application\/json\b/i.test(type))
    throw new ServeError(415, `Expected the content type application/json, not "${type.slice(0, 80)}".`);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const buffer = Buffer.from(part as Uint8Array);
    bytes += buffer.length;
    if (bytes > longestBody) throw new ServeError(413, 'The body is longer than 10 MiB.');
    parts.push(buffer);
  }
  try {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
    return body;
  } catch {
    throw new ServeError(400, 'We could not parse the JSON body of your request.');
  }
}

function requireAllowed({ headers }: IncomingMessage, apiKey: string | undefined, loopback: boolean): void {
  const refused = loopback ? refusedOnLoopback(headers) : null;
  if (refused !== null) throw new ServeError(403, refused);
  if (apiKey === undefined) return;
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (given === undefined || !sameText(given, apiKey))
    throw new ServeError(
      401,
      given === undefined
        ? 'No API key was given: send Authorization: Bearer KEY.'
        : 'The API key is not right.',
      { code: 'invalid_api_key' },
    );
}

function sameText(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function requireMethod({ method }: IncomingMessage, path: string, wanted: string): void {
  if (method !== wanted)
    throw new ServeError(405, `Not allowed to ${method ?? ''} on ${path}: it takes ${wanted}.`, {
      code: 'method_not_supported',
    });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unknownModel(name: string): ServeError {
  return new ServeError(
    404,
    `The model \`${name}\` does not exist: GET /v1/models lists the one that does.`,
    {
      param: 'model',
      code: 'model_not_found',
    },
  );
}

/** The error that a client gets: its own faults by their names, the engine's as a server's. */
function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof PromptTooLong)
    return new ServeError(400, message, { param: 'messages', code: 'context_length_exceeded' });
  if (error instanceof EngineBusy) return new ServeError(429, message, { type: 'rate_limit_error' });
  if (error instanceof EngineRefused && error.status === 400) return new ServeError(400, message);
  return new ServeError(503, message, { type: 'server_error' });
}
