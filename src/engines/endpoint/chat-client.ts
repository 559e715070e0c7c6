/**
 * The OpenAI chat protocol as vLLM, engine/serve.py and hosted services speak it. A busy server (429, 503) is waited out
 * here, so that one refusal does not cost a whole shard; every other trouble is an error named after its cause.
 */
import { z } from 'zod';
import type { Message } from '../../algorithm/prompts.ts';
import { pause } from '../abort.ts';
import { EngineAnswerInvalid, EngineBusy, EngineFailed, EngineRefused } from '../errors.ts';
import { createExchange, type ExchangeAnswer, readApiKey, shownUrl, withoutKey } from './exchange.ts';

export interface ChatClient {
  /**
   * One answer, of at most `largestAnswer` bytes with all that comes with it. Throws the errors of `createChatClient`, or the
   * signal's reason.
   *
   * @param onBusy told when the server asks for patience
   */
  complete(request: ChatRequest, signal: AbortSignal, onBusy?: OnBusy): Promise<ChatCompletion>;
  listModels(signal: AbortSignal): Promise<readonly ServedModel[]>;
  /** Has the server load the LoRA adapter in the folder `path` (a path on the server's machine) as model `name`. */
  loadAdapter(name: string, path: string, signal: AbortSignal): Promise<void>;
  unloadAdapter(name: string, signal: AbortSignal): Promise<void>;
  /** Natural logarithms of the probability of each token of the prompt but the first (needs vLLM or engine/serve.py). */
  promptLogprobs(
    model: string,
    messages: readonly Message[],
    signal: AbortSignal,
  ): Promise<readonly number[]>;
  /** Another request to the same server: its answer to `body`, posted to `path` (`/embeddings`), as `schema` reads it. Throws as `complete` does. */
  post<T>(path: string, body: object, schema: z.ZodType<T>, signal: AbortSignal, onBusy?: OnBusy): Promise<T>;
  /** As it may be shown. */
  readonly url: string;
  /** Closes the connections; requests under way fail. */
  close(): void;
}

/** Told until when a busy server will be left alone, before it is. */
export type OnBusy = (until: Date) => void;

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly seed: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly max_tokens: number;
}

export interface ChatCompletion {
  readonly text: string;
  /** `stop`, `length` (cut off at max_tokens), or what else the server calls it. */
  readonly finishReason: string;
  /** 0 when the server does not count. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface ServedModel {
  readonly id: string;
  /** Where the server loaded it from; null when it does not say. */
  readonly root: string | null;
}

export interface ChatClientOptions {
  /** As OpenAI's own clients take it: `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /** Name of the environment variable that holds the key; read for each request. */
  readonly apiKeyEnv?: string | undefined;
  /** How long one answer may take. Milliseconds; 10 minutes unless told. */
  readonly timeoutMs?: number;
  /**
   * How long a busy server is waited for before EngineBusy, all waits of a request together. Milliseconds; 10 minutes unless told.
   * A server that asks for more than a minute at once is not waited for here: Temporal waits, where it can be seen.
   */
  readonly patienceMs?: number;
}

/**
 * A client of one server, with connections kept open.
 *
 * Its calls throw EngineUnreachable, EngineFailed and EngineBusy (a later try may succeed), EngineRefused,
 * EngineAnswerInvalid and ApiKeyMissing (it would not). None of them carries the key or a request's headers.
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  const base = options.url.replace(/\/+$/, '');
  const patienceMs = options.patienceMs ?? 600_000;
  const exchange = createExchange(options.timeoutMs ?? 600_000);

  async function ask(path: string, body: unknown, signal: AbortSignal, onBusy?: OnBusy): Promise<string> {
    const url = `${base}${path}`;
    let waitedMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      const key = readApiKey(options.apiKeyEnv);
      const answer = await exchange.send({ url, body, key }, signal);
      if (answer.status >= 200 && answer.status < 300) return answer.text;
      const words = serverWords(answer, key);
      if (!isBusy(answer, words)) throw refusal(shownUrl(url), answer.status, words);
      const delay = retryDelay(answer.retryAfter, attempt);
      if (delay > longestWaitMs || waitedMs + delay > patienceMs) {
        throw new EngineBusy(shownUrl(url), answer.status, waitedMs, delay, words);
      }
      onBusy?.(new Date(Date.now() + delay));
      await pause(delay, signal);
      waitedMs += delay;
    }
  }

  function invalidAnswer(path: string, fault: string, text: string): EngineAnswerInvalid {
    const shown = (words: string): string => withoutKey(words, readApiKey(options.apiKeyEnv)).slice(0, 200);
    return new EngineAnswerInvalid(shownUrl(base + path), shown(fault), shown(text));
  }

  function parse<T>(schema: z.ZodType<T>, path: string, text: string): T {
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
  }

  return {
    async complete(request, signal, onBusy) {
      const body = await ask(chatPath, request, signal, onBusy);
      const { model, choices, usage } = parse(completionSchema, chatPath, body);
      if (!isModel(model, request.model))
        throw invalidAnswer(chatPath, `the model ${model} answered, and ${request.model} was asked`, body);
      // What a server puts into an answer is kept for ever: the key must not be among it.
      const text = withoutKey(choices[0].message.content ?? '', readApiKey(options.apiKeyEnv));
      return {
        // A lone surrogate could not be written as UTF-8 and read back the same.
        text: text.replace(/[\ud800-\udfff]/gu, '\ufffd'),
        finishReason: choices[0].finish_reason ?? 'unknown',
        promptTokens: usage?.prompt_tokens ?? 0,
        completionTokens: usage?.completion_tokens ?? 0,
      };
    },
    async listModels(signal) {
      const { data } = parse(modelsSchema, '/models', await ask('/models', undefined, signal));
      return data.map(({ id, root }) => ({ id, root: root ?? null }));
    },
    async loadAdapter(name, path, signal) {
      await ask('/load_lora_adapter', { lora_name: name, lora_path: path }, signal);
    },
    async unloadAdapter(name, signal) {
      await ask('/unload_lora_adapter', { lora_name: name }, signal);
    },
    async promptLogprobs(model, messages, signal) {
      const body = { model, messages, max_tokens: 1, temperature: 0, seed: 0, prompt_logprobs: 1 };
      const { prompt_logprobs: positions } = parse(
        logprobsSchema,
        chatPath,
        await ask(chatPath, body, signal),
      );
      // Each position lists the likeliest token and the prompt's own: the own one is the less likely of the two.
      return positions.flatMap((tokens) =>
        tokens === null ? [] : [Math.min(...Object.values(tokens).map(({ logprob }) => logprob))],
      );
    },
    async post(path, body, schema, signal, onBusy) {
      return parse(schema, path, await ask(path, body, signal, onBusy));
    },
    url: shownUrl(base),
    close: () => exchange.close(),
  };
}

const chatPath = '/chat/completions';

const choiceSchema = z.object({
  message: z.object({ content: z.string().nullish() }),
  finish_reason: z.string().nullish(),
});
const completionSchema = z.object({
  model: z.string().nullish(),
  choices: z.tuple([choiceSchema], choiceSchema),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number().default(0) }).nullish(),
});
const modelsSchema = z.object({ data: z.array(z.object({ id: z.string(), root: z.string().nullish() })) });
const logprobsSchema = z.object({
  prompt_logprobs: z.array(z.record(z.string(), z.object({ logprob: z.number() })).nullable()),
});

/** Some servers name no model; hosted ones name the dated version of the one that was asked (`gpt-x` answers as `gpt-x-2026-01-31`). */
function isModel(answered: string | null | undefined, asked: string): boolean {
  return !answered || answered === asked || answered.startsWith(`${asked}-`);
}

/** A minute, with the tenth that retryDelay adds by chance: its own back-off is never longer. */
const longestWaitMs = 66_000;

/** A spent quota comes as 429 too, but no waiting refills it. */
function isBusy({ status }: ExchangeAnswer, words: string): boolean {
  return status === 503 || (status === 429 && !/insufficient_quota|exceeded your current quota/i.test(words));
}

function refusal(url: string, status: number, words: string): Error {
  return status >= 500 || status === 408
    ? new EngineFailed(url, status, words)
    : new EngineRefused(url, status, words);
}

/** How long to wait before asking a busy server again. */

/**
 * Milliseconds until the next try: the server's own `retry-after` (seconds or an HTTP date) where it gives one, else 0.5 s
 * doubling with each try up to 60 s. Up to a tenth is added by chance, lest all that wait come back at once.
 */
export function retryDelay(retryAfter: string | undefined, attempt: number, now = Date.now()): number {
  const asked = parseRetryAfter(retryAfter, now);
  const delay = asked ?? Math.min(60_000, 500 * 2 ** attempt);
  return delay * (1 + Math.random() / 10);
}

function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** What a server says about an error, on one line of at most 500 characters, whichever of the usual shapes it uses; no key. */
export function serverWords(answer: ExchangeAnswer, key: string | undefined): string {
  if (answer.location !== undefined && answer.status < 400) {
    return withoutKey(`moved to ${answer.location}; use that URL`, key);
  }
  // The key goes before the text is cut, lest half of it stay.
  const words = withoutKey(messageIn(answer.text) ?? answer.text, key)
    .replace(/\s+/g, ' ')
    .trim();
  return words === '' ? '(no words)' : words.slice(0, 500);
}

/** OpenAI and vLLM: `{error: {message, code}}`; older vLLM: `{message}`; FastAPI: `{detail}`; some: `{error: text}`. */
const errorSchema = z.union([
  z
    .object({ error: z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }) })
    .transform(({ error }) =>
      typeof error.code === 'string' ? `${error.message} (${error.code})` : error.message,
    ),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

function messageIn(text: string): string | undefined {
  try {
    return errorSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
