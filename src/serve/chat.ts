/** What may a client ask of `colloquy serve` (the body of POST /v1/chat/completions, checked as OpenAI does), what does a debate answer it, and how is it refused? */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';
import { isCutOff } from '../algorithm/measures/cost.ts';
import type { AnsweredDebate } from './debaters.ts';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), z.array(textPart).min(1)], 'expected a text, or a list of text parts'),
});

/** Further keys are ignored, because clients send many that change nothing here (`user`, `store`, `metadata`). */
const chatRequestSchema = z.object({
  model: z.string('expected the name of a model: GET /v1/models lists it').min(1),
  messages: z
    .array(message, 'expected a list of messages')
    .min(1, 'expected at least one message')
    .refine((messages) => messages.at(-1)?.role === 'user', 'the last message must be of the user'),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  max_tokens: z.int().min(1).max(131_072).nullish(),
  max_completion_tokens: z.int().min(1).max(131_072).nullish(),
  seed: z.int().nullish(),
  n: z.literal(1, 'a debate gives one answer: n must be 1').nullish(),
  tools: z.array(z.unknown()).max(0, 'the debaters call no tools').nullish(),
  logprobs: z.literal(false, 'a debate has no log-probabilities').nullish(),
  response_format: z.object({ type: z.literal('text', 'only text is answered') }).nullish(),
});

/** A checked request. */
export type ChatCompletionRequest = {
  readonly model: string;
  /** The whole conversation as one question. */
  readonly question: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly seed: number | undefined;
  readonly sampling: { readonly temperature?: number; readonly top_p?: number; readonly max_tokens?: number };
};

/** What is wrong with a request: the message and the parameter, as in OpenAI's errors. */
export type RequestFault = { readonly message: string; readonly param: string | null };

/** The request in a body, or what is wrong with it. */
export function parseChatRequest(body: unknown): ChatCompletionRequest | RequestFault {
  const parsed = chatRequestSchema.safeParse(body, { reportInput: false });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = issue === undefined || issue.path.length === 0 ? null : pathOf(issue.path);
    const what = param === null ? 'The body' : `'${param}'`;
    return { message: `Invalid value for ${what}: ${issue?.message ?? 'not as expected'}.`, param };
  }
  const { data } = parsed;
  const most = data.max_completion_tokens ?? data.max_tokens;
  return {
    model: data.model,
    question: questionIn(data.messages),
    stream: data.stream === true,
    includeUsage: data.stream_options?.include_usage === true,
    // A debate's seed is not negative.
    seed: data.seed === null || data.seed === undefined ? undefined : Math.abs(data.seed) % 2_147_483_648,
    sampling: {
      ...(typeof data.temperature === 'number' ? { temperature: data.temperature } : {}),
      ...(typeof data.top_p === 'number' ? { top_p: data.top_p } : {}),
      ...(typeof most === 'number' ? { max_tokens: most } : {}),
    },
  };
}

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : String(key)))
    .join('.')
    .replaceAll('.[', '[');
}

/** A debate is about one question. Earlier turns stand before it, each with its speaker. */
function questionIn(messages: z.infer<typeof chatRequestSchema>['messages']): string {
  const texts = messages.map(({ role, content }) => ({
    role,
    text: typeof content === 'string' ? content : content.map(({ text }) => text).join('\n'),
  }));
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return only.text;
  return texts
    .map(({ role, text }, index) =>
      index === texts.length - 1 || role === 'system' || role === 'developer' ? text : `${role}: ${text}`,
    )
    .join('\n\n');
}

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

/**
 * Why a server on the loopback refuses a request, by its headers; null when it does not. A web page of another site must not read what the
 * server says: neither from its own address nor from one that its name server says is this machine's (DNS rebinding).
 */
export function refusedOnLoopback({ host, origin }: IncomingHttpHeaders): string | null {
  const name = (host ?? '').replace(/:\d+$/, '');
  if (!['localhost', '127.0.0.1', '[::1]'].includes(name))
    return `This server answers to localhost alone, not to the host "${name.slice(0, 80)}".`;
  const own = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  return origin === undefined || own.test(origin)
    ? null
    : 'This server does not answer pages of other hosts.';
}

/** The words of OpenAI for the end of a completion. */
type FinishReason = 'stop' | 'length' | 'content_filter';

/** One response of a debate, and how it was voted for. */
type DebateAnswer = {
  /** The last response of the first agent whose answer won the vote; of agent 1 when there was no readable answer. */
  readonly text: string;
  readonly finishReason: FinishReason;
  /** Beside OpenAI's fields: `colloquy` in the reply. */
  readonly vote: {
    /** Null when no answer could be read. */
    readonly answer: string | null;
    readonly votes: number;
    readonly agents: number;
    /** How many answers had as many votes. */
    readonly tied: number;
  };
};

export function answerOf({
  dialogues,
  agrees,
  consensus,
  finishReasons,
}: Pick<AnsweredDebate, 'dialogues' | 'agrees' | 'consensus' | 'finishReasons'>): DebateAnswer {
  const winner = Math.max(
    0,
    agrees.findIndex((byRound) => byRound.at(-1) === true),
  );
  return {
    text: dialogues[winner]?.at(-1)?.content ?? '',
    finishReason: inOpenAisWords(finishReasons.responses[winner]?.at(-1) ?? 'unknown'),
    vote: {
      answer: consensus.answer,
      votes: consensus.votes,
      agents: dialogues.length,
      tied: consensus.tied,
    },
  };
}

/** Servers have other words too, which OpenAI's clients do not know: each that means a response that was cut off becomes `length`. */
function inOpenAisWords(finishReason: string): FinishReason {
  if (!isCutOff(finishReason)) return 'stop';
  return finishReason === 'content_filter' ? 'content_filter' : 'length';
}

/** What every part of a reply has. */
export type ReplyHead = { readonly id: string; readonly created: number; readonly model: string };

type Tokens = AnsweredDebate['tokens'];

/** The whole reply. The usage counts all that the debate has read and written. */
export function completion(
  head: ReplyHead,
  { text, finishReason, vote }: DebateAnswer,
  tokens: Tokens,
): object {
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: usage(tokens),
    colloquy: vote,
  };
}

/** The reply in parts, for `stream: true`. The answer comes at once, when the vote is over. */
export function chunks(
  head: ReplyHead,
  { text, finishReason, vote }: DebateAnswer,
  tokens: Tokens,
  includeUsage: boolean,
): object[] {
  const chunk = (delta: object, finish: FinishReason | null, more: object = {}) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(includeUsage ? { usage: null } : {}),
    ...more,
  });
  return [
    chunk({ role: 'assistant', content: '' }, null),
    chunk({ content: text }, null),
    chunk({}, finishReason, { colloquy: vote }),
    ...(includeUsage
      ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage: usage(tokens) }]
      : []),
  ];
}

function usage({ prompt, completion: written }: Tokens): object {
  return { prompt_tokens: prompt, completion_tokens: written, total_tokens: prompt + written };
}
