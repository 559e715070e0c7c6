/**
 * A client of one server of the OpenAI chat protocol. A busy server (429, 503) is waited for here, so that one refusal does not
 * cost a whole shard; every other trouble is an error named after its cause.
 */
import type { z } from 'zod';
import type { Message } from '../../algorithm/prompts.ts';
import {
  chatAnswerSchema,
  type ChatRequest,
  modelListSchema,
  scoreAnswerSchema,
  type TrainingCheck,
} from '../../config/contract.ts';
import { pause } from '../abort.ts';
import {
  EngineAnswerInvalid,
  EngineBusy,
  EngineRefused,
  OtherWeights,
  PromptLogprobsUnsupported,
  TrainingImpossible,
} from '../errors.ts';
import { createHttpClient, type HttpAnswer, readApiKey, shownUrl, withoutKey } from './http.ts';
import { chatPath, embeddingsSchema, isBusy, isModel, refusal, retryDelay, serverWords } from './protocol.ts';

/** Each call throws the errors of `createChatClient`, or the signal's reason. */
export interface ChatClient {
  /** @param onBusy called when the server asks for patience */
  complete(request: ChatRequest, signal: AbortSignal, onBusy?: OnBusy): Promise<ChatCompletion>;
  listModels(signal: AbortSignal): Promise<readonly ServedModel[]>;
  /** Has the server load the LoRA adapter in the folder `path` (a path on the server's machine) as model `name`. */
  loadAdapter(name: string, path: string, signal: AbortSignal): Promise<void>;
  unloadAdapter(name: string, signal: AbortSignal): Promise<void>;
  /**
   * Asks the server whether such rows and target modules can be trained.
   *
   * @returns false when the server cannot check it
   * @throws TrainingImpossible
   */
  checkTraining(check: TrainingCheck, signal: AbortSignal): Promise<boolean>;
  /**
   * The tokens of a prompt and how likely each is after those before it (needs vLLM or engine/serve.py).
   *
   * @throws PromptLogprobsUnsupported when the server does not say
   */
  promptTokens(prompt: PromptToScore, signal: AbortSignal, onBusy?: OnBusy): Promise<readonly PromptToken[]>;
  /**
   * The embedding of each text, in the order of the texts (POST /v1/embeddings, which vLLM has too).
   *
   * @param model the server's name for a sentence encoder
   * @param texts few and not blank: they are sent as one request, which servers limit (OpenAI to 2,048 texts)
   */
  embed(
    model: string,
    texts: readonly string[],
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<readonly (readonly number[])[]>;
  /**
   * From now on, an answer of `model` that names other weights is an error (OtherWeights). A server that names none is trusted.
   *
   * @param weights what is known of them
   */
  expectWeights(model: string, weights: Weights): void;
  /** The URL in the form that messages may show. */
  readonly url: string;
  /** Closes the connections; requests under way fail. */
  close(): void;
}

/** Called with the time until which a busy server is left alone, before it is. */
export type OnBusy = (until: Date) => void;

/** As engine/serve.py names them in its header: the base model's hash, and after a plus sign the adapter's. Undefined is not known. */
export type Weights = { readonly base: string | undefined; readonly adapter: string | undefined };

export interface ChatCompletion {
  readonly text: string;
  /** `stop`, `length` (cut off at max_tokens), or another word of the server's. */
  readonly finishReason: string;
  /** 0 when the server does not count. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The name under which a hosted alias answered. */
  readonly answeredAs?: string;
}

export interface ServedModel {
  readonly id: string;
  /** Where the server loaded it from; null when it does not say. */
  readonly root: string | null;
}

export interface PromptToScore {
  readonly model: string;
  readonly messages: readonly Message[];
  /** Whether the beginning of an answer follows the messages; true when not given. */
  readonly add_generation_prompt?: boolean;
  /** Whether the last message is not ended, as if more of it followed. */
  readonly continue_final_message?: boolean;
}

/** `id` is null for a prompt's first token, about which a server says nothing. The logprob is a natural logarithm. */
export type PromptToken = { readonly id: string | null; readonly logprob: number };

export interface ChatClientOptions {
  /** As OpenAI's own clients take it: `http://127.0.0.1:8000/v1`. */
  readonly url: string;
  /** Name of the environment variable that holds the key; read for each request. */
  readonly apiKeyEnv?: string | undefined;
  /**
   * Whether a model may answer under another name than it was asked by, as hosted aliases do (`large-latest` as `large-2411`): then the
   * first name stays the only one. Without it, another name is an error.
   */
  readonly aliases?: boolean;
  /** How long one answer may take. Milliseconds; 10 minutes by default. */
  readonly timeoutMs?: number;
  /**
   * How long a busy server is waited for before EngineBusy, all waits of a request together. Milliseconds; 10 minutes by default.
   * A server that asks for more than a minute at once is not waited for here: Temporal waits, where people can see it.
   */
  readonly patienceMs?: number;
}

/** A minute, with the tenth that retryDelay adds by chance: its own back-off is never longer. */
const longestWaitMs = 66_000;

/**
 * Keeps connections to the server open.
 *
 * Its calls throw EngineUnreachable, EngineFailed, EngineBusy, EngineRefused, EngineAnswerInvalid, EngineClosed, OtherWeights and
 * ApiKeyMissing. None of them carries the key or a request's headers.
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  const base = options.url.replace(/\/+$/, '');
  const patienceMs = options.patienceMs ?? 600_000;
  const http = createHttpClient(options.timeoutMs ?? 600_000);
  const expected = new Map<string, Weights>();
  const aliases = new Map<string, string>();

  function isAlias(asked: string, answered: string | null | undefined): boolean {
    if (!options.aliases || !answered) return false;
    const known = aliases.get(asked) ?? answered;
    aliases.set(asked, known);
    return known === answered;
  }

  async function ask(path: string, body: unknown, signal: AbortSignal, onBusy?: OnBusy): Promise<HttpAnswer> {
    const url = `${base}${path}`;
    let waitedMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      const key = readApiKey(options.apiKeyEnv);
      const answer = await http.send({ url, body, key }, signal);
      if (answer.status >= 200 && answer.status < 300) return answer;
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

  /** @throws OtherWeights */
  async function askModel(
    body: { readonly model: string },
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<string> {
    const { text, weights } = await ask(chatPath, body, signal, onBusy);
    if (weights !== undefined && differs(weights, expected.get(body.model)))
      throw new OtherWeights(shownUrl(base), body.model);
    return text;
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
      const body = await askModel(request, signal, onBusy);
      const { model, choices, usage } = parse(chatAnswerSchema, chatPath, body);
      if (!isModel(model, request.model) && !isAlias(request.model, model))
        throw invalidAnswer(chatPath, `the model ${model} answered, and ${request.model} was asked`, body);
      // Answers are kept for ever: the key must not be in them.
      const text = withoutKey(choices[0].message.content ?? '', readApiKey(options.apiKeyEnv));
      return {
        // A lone surrogate could not be written as UTF-8 and read back the same.
        text: text.replace(/[\ud800-\udfff]/gu, '\ufffd'),
        finishReason: choices[0].finish_reason ?? 'unknown',
        promptTokens: usage?.prompt_tokens ?? 0,
        completionTokens: usage?.completion_tokens ?? 0,
        ...(isModel(model, request.model) ? {} : { answeredAs: String(model) }),
      };
    },
    async listModels(signal) {
      const { data } = parse(modelListSchema, '/models', (await ask('/models', undefined, signal)).text);
      return data.map(({ id, root }) => ({ id, root: root ?? null }));
    },
    async loadAdapter(name, path, signal) {
      await ask('/load_lora_adapter', { lora_name: name, lora_path: path }, signal);
    },
    async unloadAdapter(name, signal) {
      await ask('/unload_lora_adapter', { lora_name: name }, signal);
    },
    async checkTraining(check, signal) {
      try {
        await ask('/check_training', check, signal);
        return true;
      } catch (error) {
        if (!(error instanceof EngineRefused)) throw error;
        if (error.status === 400) throw new TrainingImpossible(error.words);
        return false;
      }
    },
    async promptTokens(prompt, signal, onBusy) {
      // 0: only the prompt's own tokens, and no likelier ones beside them.
      const body = { ...prompt, max_tokens: 1, temperature: 0, seed: 0, prompt_logprobs: 0 };
      const answer = await askModel(body, signal, onBusy).catch((error: unknown) => {
        if (error instanceof EngineRefused && /prompt_logprobs/.test(error.words))
          throw new PromptLogprobsUnsupported(error.url);
        throw error;
      });
      const { prompt_logprobs: places } = parse(scoreAnswerSchema, chatPath, answer);
      if (!places) throw new PromptLogprobsUnsupported(shownUrl(base));
      return places.map(ownToken);
    },
    async embed(model, texts, signal, onBusy) {
      const body = { model, input: texts, encoding_format: 'float' };
      const { text: answer } = await ask('/embeddings', body, signal, onBusy);
      const { data } = parse(embeddingsSchema(texts.length), '/embeddings', answer);
      return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
    },
    expectWeights: (model, weights) => void expected.set(model, weights),
    url: shownUrl(base),
    close: () => http.close(),
  };
}

function differs(named: string, expected: Weights | undefined): boolean {
  const [base, adapter] = named.split('+');
  const other = (wanted: string | undefined, found: string | undefined): boolean =>
    wanted !== undefined && wanted !== found;
  return other(expected?.base, base) || other(expected?.adapter, adapter);
}

/** A server that lists likelier tokens all the same lists the prompt's own, too: it is the least likely one. */
function ownToken(place: Readonly<Record<string, { readonly logprob: number }>> | null): PromptToken {
  let own: PromptToken = { id: null, logprob: 0 };
  for (const [id, { logprob }] of Object.entries(place ?? {}))
    if (own.id === null || logprob < own.logprob) own = { id, logprob };
  return own;
}
