/** A client of one server of the OpenAI chat protocol: what can be asked of it, and what an answer has to be. */
import type { Message } from '../../algorithm/agents.ts';
import {
  canaryAnswerSchema,
  chatAnswerSchema,
  type ChatRequest,
  scoreAnswerSchema,
  type TemplateVariables,
  type TrainingCheck,
} from '../../config/server-contract.ts';
import {
  EngineAnswerInvalid,
  EngineFailed,
  EngineRefused,
  EngineUnreachable,
  OtherWeights,
  PromptLogprobsUnsupported,
  TrainingImpossible,
} from '../errors.ts';
import { adapterRefusal, ContextFull } from './refusals.ts';
import {
  type CanaryAnswer,
  canaryRequest,
  chatPath,
  createCompleteSampling,
  embeddingsSchema,
  isModel,
  listedModelsSchema,
} from './protocol.ts';
import { createServerRequests, type OnBusy, type ServerOptions } from './server-requests.ts';

/** Each call throws the errors of `createChatClient`, or the signal's reason. */
export interface ChatClient {
  /**
   * One answer, sampled as the request says whatever the model's own generation_config.json wants.
   *
   * @param onBusy called when the server asks for patience
   * @throws ContextFull for an answer that ended because the context was full
   */
  complete(request: ChatRequest, signal: AbortSignal, onBusy?: OnBusy): Promise<ChatCompletion>;
  /** The answer by which models are told apart (proof.ts). */
  canary(model: string, signal: AbortSignal): Promise<CanaryAnswer>;
  listModels(signal: AbortSignal): Promise<readonly ServedModel[]>;
  /** Whether the server answers now. */
  isThere(signal: AbortSignal): Promise<boolean>;
  /** The settings of sampling that the server has refused so far, by name: there its own values hold. */
  readonly refusedSampling: readonly string[];
  /**
   * Has the server load the LoRA adapter in the folder `path` (a path on the server's machine) as model `name`.
   *
   * @throws AdapterNotLoaded when it would refuse it again
   */
  loadAdapter(name: string, path: string, signal: AbortSignal, onBusy?: OnBusy): Promise<void>;
  unloadAdapter(name: string, signal: AbortSignal): Promise<void>;
  /** How many adapters vLLM can have in one batch (`--max-loras`), which it says once it has been asked for one; null where it does not say. */
  adapterSlots(signal: AbortSignal): Promise<number | null>;
  /** Whether the server says that it is a vLLM whose cache is on a GPU: the CPU build has other blocks, or states their memory. */
  isVllmOnGpu(signal: AbortSignal): Promise<boolean>;
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
  /** How many tokens a prompt and its answer may have together; null when the server does not say. */
  readonly context: number | null;
}

export interface PromptToScore extends TemplateVariables {
  readonly model: string;
  readonly messages: readonly Message[];
  /** Whether the beginning of an answer follows the messages; true when not given. */
  readonly add_generation_prompt?: boolean;
  /** Whether the last message is not ended, as if more of it followed. */
  readonly continue_final_message?: boolean;
}

/** `id` is null for a prompt's first token, about which a server says nothing. The logprob is a natural logarithm. */
export type PromptToken = { readonly id: string | null; readonly logprob: number };

export interface ChatClientOptions extends ServerOptions {
  /**
   * Whether a model may answer under another name than it was asked by, as hosted aliases do (`large-latest` as `large-2411`): then the
   * first name stays the only one. Without it, another name is an error.
   */
  readonly aliases?: boolean;
}

/**
 * Keeps connections to the server open.
 *
 * Its calls throw the errors of `createServerRequests`, and OtherWeights.
 */
export function createChatClient(options: ChatClientOptions): ChatClient {
  const server = createServerRequests(options);
  const sampling = createCompleteSampling();
  const expected = new Map<string, Weights>();
  const aliases = new Map<string, string>();

  /** Whether a model may answer under another name: it keeps to the first one, which is remembered here. */
  function isAlias(asked: string, answered: string | null | undefined): boolean {
    if (!options.aliases || !answered) return false;
    const known = aliases.get(asked) ?? answered;
    aliases.set(asked, known);
    return known === answered;
  }

  /** @throws OtherWeights */
  async function askModel(
    body: { readonly model: string },
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<string> {
    const { text, weights } = await sampling.complete(body, (whole) =>
      server.ask(chatPath, whole, signal, onBusy),
    );
    if (weights !== undefined && differs(weights, expected.get(body.model)))
      throw new OtherWeights(server.url, body.model);
    return text;
  }

  /** Figures of vLLM for Prometheus; empty where there are none. */
  async function metrics(signal: AbortSignal): Promise<string> {
    try {
      return (await server.page('/metrics', signal)).text;
    } catch (error) {
      if (error instanceof EngineUnreachable || error instanceof EngineAnswerInvalid) return '';
      throw error;
    }
  }

  return {
    async complete(request, signal, onBusy) {
      const body = await askModel(request, signal, onBusy);
      const { model, choices, usage } = server.parse(chatAnswerSchema, chatPath, body);
      if (!isModel(model, request.model) && !isAlias(request.model, model))
        throw server.invalidAnswer(
          chatPath,
          `the model ${model} answered, and ${request.model} was asked`,
          body,
        );
      const finishReason = choices[0].finish_reason ?? 'unknown';
      const promptTokens = usage?.prompt_tokens ?? 0;
      const completionTokens = usage?.completion_tokens ?? 0;
      // Hidden reasoning takes its part of max_tokens, and some services count it only in the total.
      const taken = Math.max(completionTokens, (usage?.total_tokens ?? 0) - promptTokens);
      if (finishReason === 'length' && promptTokens > 0 && taken < request.max_tokens)
        throw new ContextFull(server.url, { promptTokens, taken, maxTokens: request.max_tokens });
      // Answers are kept for ever: the key must not be in them.
      const text = server.withoutKey(choices[0].message.content ?? '');
      return {
        // A lone surrogate could not be written as UTF-8 and read back the same.
        text: text.replace(/[\ud800-\udfff]/gu, '\ufffd'),
        finishReason,
        promptTokens,
        completionTokens,
        ...(isModel(model, request.model) ? {} : { answeredAs: String(model) }),
      };
    },
    async canary(model, signal) {
      const body = await askModel(canaryRequest(model), signal);
      const [{ message, logprobs }] = server.parse(canaryAnswerSchema, chatPath, body).choices;
      const tokens = logprobs?.content?.map(({ token, logprob, top_logprobs: top }) => ({
        own: token,
        logprobs: new Map([...top, { token, logprob }].map((each) => [each.token, each.logprob])),
      }));
      return { text: message.content ?? '', tokens: tokens ?? null };
    },
    async listModels(signal) {
      const { data } = server.parse(
        listedModelsSchema,
        '/models',
        (await server.ask('/models', undefined, signal)).text,
      );
      return data.map(({ id, root, max_model_len: context, meta }) => ({
        id,
        root: root ?? null,
        context: context ?? meta?.n_ctx ?? null,
      }));
    },
    isThere: (signal) => server.isThere(signal),
    async loadAdapter(name, path, signal, onBusy) {
      try {
        await server.ask('/load_lora_adapter', { lora_name: name, lora_path: path }, signal, onBusy);
      } catch (error) {
        const refused = error instanceof EngineFailed || error instanceof EngineRefused;
        throw (refused ? adapterRefusal(error, path) : null) ?? error;
      }
    },
    async unloadAdapter(name, signal) {
      await server.ask('/unload_lora_adapter', { lora_name: name }, signal);
    },
    async adapterSlots(signal) {
      const [, slots] = /vllm:lora_requests_info\{[^}]*max_lora="(\d+)"/.exec(await metrics(signal)) ?? [];
      return slots === undefined ? null : Number(slots);
    },
    async isVllmOnGpu(signal) {
      const [facts = ''] = /vllm:cache_config_info\{[^}]*/.exec(await metrics(signal)) ?? [];
      return /\bblock_size="(?!128")/.test(facts) && facts.includes('kv_cache_memory_bytes="None"');
    },
    async checkTraining(check, signal) {
      try {
        await server.ask('/check_training', check, signal);
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
      const { prompt_logprobs: places } = server.parse(scoreAnswerSchema, chatPath, answer);
      if (!places) throw new PromptLogprobsUnsupported(server.url);
      return places.map(ownToken);
    },
    async embed(model, texts, signal, onBusy) {
      const body = { model, input: texts, encoding_format: 'float' };
      const { text: answer } = await server.ask('/embeddings', body, signal, onBusy);
      const { data } = server.parse(embeddingsSchema(texts.length), '/embeddings', answer);
      return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
    },
    expectWeights: (model, weights) => void expected.set(model, weights),
    get refusedSampling() {
      return sampling.refused();
    },
    url: server.url,
    close: () => server.close(),
  };
}

function differs(named: string, expected: Weights | undefined): boolean {
  const [base, adapter] = named.split('+');
  const other = (wanted: string | undefined, found: string | undefined): boolean =>
    wanted !== undefined && wanted !== found;
  return other(expected?.base, base) || other(expected?.adapter, adapter);
}

/** The prompt's own token. A server may list likelier ones beside it although none were asked for: then it is the least likely of them. */
function ownToken(place: Readonly<Record<string, { readonly logprob: number }>> | null): PromptToken {
  let own: PromptToken = { id: null, logprob: 0 };
  for (const [id, { logprob }] of Object.entries(place ?? {}))
    if (own.id === null || logprob < own.logprob) own = { id, logprob };
  return own;
}
