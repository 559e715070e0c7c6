/** What the OpenAI chat protocol's requests state and its answers look like, as vLLM, engine/serve.py and hosted services give them. */
import { z } from 'zod';
import { type CanaryRequest, errorAnswerSchema, modelListSchema } from '../../config/server-contract.ts';
import { EngineFailed, EngineRefused } from '../errors.ts';
import { type HttpAnswer, withoutKey } from './http.ts';

export const chatPath = '/chat/completions';

/** llama.cpp lists the context of a request among its facts about the model's file. */
const listedModelSchema = modelListSchema.shape.data.element.extend({
  meta: z.object({ n_ctx: z.number().optional() }).nullish().catch(undefined),
});
/** The answer to GET /models of any server. */
export const listedModelsSchema = z.object({ data: z.array(listedModelSchema) });

const embeddingSchema = z.object({ index: z.number(), embedding: z.array(z.number()).min(1) });
/** One embedding for each text, all of them of one length. */
export const embeddingsSchema = (texts: number) =>
  z.object({
    data: z
      .array(embeddingSchema)
      .length(texts)
      .refine((all) => all.every((_, text) => all.some(({ index }) => index === text)), {
        message: 'not one embedding for each text',
      })
      .refine((all) => all.every(({ embedding }) => embedding.length === all[0]?.embedding.length), {
        message: 'embeddings of different lengths',
      }),
  });

/**
 * Some servers name no model; hosted ones name the dated version of the one that was asked (`gpt-x` answers as `gpt-x-2026-01-31`);
 * `transformers serve` adds the revision (`org/model@main`).
 */
export function isModel(answered: string | null | undefined, asked: string): boolean {
  return (
    !answered || answered === asked || answered.startsWith(`${asked}-`) || answered.startsWith(`${asked}@`)
  );
}

/** A spent quota comes as 429 too, but waiting does not fill it. */
export function isBusy({ status }: HttpAnswer, words: string): boolean {
  return status === 503 || (status === 429 && !/insufficient_quota|exceeded your current quota/i.test(words));
}

/**
 * The error for a status that is neither success nor busy.
 *
 * @param withKey whether the request had a key
 */
export function refusal(url: string, status: number, words: string, withKey: boolean): Error {
  return status >= 500 || status === 408
    ? new EngineFailed(url, status, words)
    : new EngineRefused(url, status, words, withKey);
}

/**
 * Milliseconds until a busy server is asked again: its own `retry-after` (seconds or an HTTP date) where it gives one, else 0.5 s
 * doubling with each try up to 60 s; a day at most. Up to a tenth is added by chance, so that waiting requests do not all come back at once.
 */
export function retryDelay(retryAfter: string | undefined, attempt: number, now = Date.now()): number {
  const asked = parseRetryAfter(retryAfter, now);
  const delay = Math.min(longestDelayMs, asked ?? Math.min(60_000, 500 * 2 ** attempt));
  return delay * (1 + Math.random() / 10);
}

/** However long a server wants to be left alone: it is asked again after a day. */
const longestDelayMs = 86_400_000;

function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** A server's message about an error, in whichever of the usual shapes: one line of at most 500 characters, without the key. */
export function serverWords(answer: HttpAnswer, key: string | undefined): string {
  if (answer.location !== undefined && answer.status < 400) {
    return withoutKey(`moved to ${answer.location}; use that URL`, key);
  }
  // The key is taken out before the text is cut, so that no half of it stays.
  const words = withoutKey(messageIn(answer.text) ?? answer.text, key)
    .replace(/\s+/g, ' ')
    .trim();
  return words === '' ? '(no words)' : words.slice(0, 500);
}

/** OpenAI and vLLM: `{error: {message, code}}`; older vLLM: `{message}`; FastAPI: `{detail}`; some: `{error: text}`. */
const errorSchema = z.union([
  errorAnswerSchema.transform(({ error }) =>
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

/*
 * Who decides how a model samples? The experiment alone. A server fills what a request leaves out from the model's own
 * generation_config.json (vLLM) or from its own defaults (llama.cpp: top_k 40, min_p 0.05), so every request states all of it.
 */

/** What changes no probability, in the names of vLLM, SGLang and llama.cpp. OpenAI's own service knows the penalties alone. */
const neutral = {
  top_k: -1,
  min_p: 0,
  repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
} as const;
type Setting = keyof typeof neutral;
const settings: readonly Setting[] = [
  'top_k',
  'min_p',
  'repetition_penalty',
  'presence_penalty',
  'frequency_penalty',
];

export interface CompleteSampling {
  /** Sends `body` with all settings of sampling, or with those that the server does not refuse. Its own settings stay as they are. */
  complete<Answer>(body: object, send: (whole: object) => Promise<Answer>): Promise<Answer>;
  /** The settings that the server has refused so far. */
  refused(): readonly string[];
}

/** For one server, which may refuse settings that it does not know. */
export function createCompleteSampling(): CompleteSampling {
  const refused = new Set<Setting>();

  return {
    async complete(body, send) {
      for (;;) {
        const sent = settings.filter((setting) => !refused.has(setting));
        const stated = Object.fromEntries(sent.map((setting) => [setting, neutral[setting]]));
        try {
          return await send({ ...stated, ...body });
        } catch (error) {
          const unknown = error instanceof EngineRefused ? refusedSettings(error, sent) : [];
          if (unknown.length === 0) throw error;
          for (const setting of unknown) refused.add(setting);
        }
      }
    },
    refused: () => [...refused],
  };
}

/** Which of the settings that were sent a refusal is about; none when it is about something else. */
function refusedSettings({ status, words }: EngineRefused, sent: readonly Setting[]): readonly Setting[] {
  if (status !== 400 && status !== 422) return [];
  const named = sent.filter((setting) => new RegExp(`\\b${setting}\\b`, 'i').test(words));
  if (named.length > 0) return named;
  const unknownField =
    /(unrecogni[sz]ed|unknown|unsupported|unexpected|additional|extra)\b.*\b(argument|parameter|field|propert|input|key)/i;
  return unknownField.test(words) ? sent : [];
}

/** A greedy answer to `canaryRequest`. */
export interface CanaryAnswer {
  readonly text: string;
  /** By place in the answer; null where the server gives no log-probabilities. */
  readonly tokens: readonly CanaryToken[] | null;
}

/** Natural logarithms of probabilities, by token: the answer's own and the likeliest others. */
export type CanaryToken = { readonly own: string; readonly logprobs: ReadonlyMap<string, number> };

/** Any text would do; one with digits and letters suits the embedded model and large ones alike. */
export function canaryRequest(model: string): CanaryRequest {
  return {
    model,
    messages: [
      { role: 'user', content: '12+3*8-5' },
      { role: 'assistant', content: '3*8=24;12+24=36;36-5=31' },
      { role: 'user', content: 'Is 31 right?' },
    ],
    max_tokens: 16,
    temperature: 0,
    seed: 0,
    logprobs: true,
    top_logprobs: 5,
  };
}

/**
 * How far two canary answers are apart: the greatest difference of the log-probabilities of a token, in nats, at the places up to
 * the first at which the answers differ. 0 when they are equal. Without log-probabilities it is 0 for equal texts, else infinite.
 */
export function distance(a: CanaryAnswer, b: CanaryAnswer): number {
  if (a.tokens === null || b.tokens === null) return a.text === b.text ? 0 : Infinity;
  let greatest = a.tokens.length === b.tokens.length ? 0 : leastKnown;
  for (const [place, token] of a.tokens.entries()) {
    const other = b.tokens[place];
    if (other === undefined) break;
    greatest = Math.max(greatest, tokenDistance(token, other));
    // What follows another token is no answer to the same prompt.
    if (token.own !== other.own) break;
  }
  return greatest;
}

/** Of tokens that only one of two answers has among its likeliest, the other's log-probability is at most that of its least likely one. */
function tokenDistance(a: CanaryToken, b: CanaryToken): number {
  const [leastOfA, leastOfB] = [a, b].map(({ logprobs }) => Math.min(...logprobs.values()));
  const tokens = new Set([...a.logprobs.keys(), ...b.logprobs.keys()]);
  return Math.max(
    ...[...tokens].map((token) =>
      Math.abs((a.logprobs.get(token) ?? leastOfA ?? 0) - (b.logprobs.get(token) ?? leastOfB ?? 0)),
    ),
  );
}

/** One answer ended where the other went on, though each token until then was equally likely. */
const leastKnown = 1e-9;
