import type { ServerResponse } from 'node:http';
import { ColloquyError, exitCodes } from '../errors.ts';

/** A request cannot be answered: the status, and the fields of OpenAI's error object. */
export class ServeError extends ColloquyError {
  override name = 'ServeError' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;

  constructor(
    status: number,
    message: string,
    {
      type = 'invalid_request_error',
      param = null,
      code = null,
    }: { readonly type?: string; readonly param?: string | null; readonly code?: string | null } = {},
  ) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
    this.code = code;
  }
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Sends an error as OpenAI does: as the reply, or as an event of a stream that has begun. */
export function sendError(
  response: ServerResponse,
  { status, message, type, param, code }: ServeError,
): void {
  const body = { error: { message, type, param, code } };
  if (response.destroyed || response.writableEnded) return;
  if (response.headersSent) response.end(`data: ${JSON.stringify(body)}\n\n`);
  else {
    // The rest of a refused body is not read.
    if (status === 413) response.setHeader('connection', 'close');
    sendJson(response, status, body);
  }
}
