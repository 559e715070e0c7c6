/** What one running server answers for a base model and for the models fine-tuned on it: the part that all endpoints share. */
import { createHash } from 'node:crypto';
import { type ResponseScore, responseScore } from '../../algorithm/measures/diversity.ts';
import { ArtifactMissing } from '../../store/errors.ts';
import type { BaseModel, Model } from '../../store/models.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { abortable } from '../waiting.ts';
import { AdaptersUnsupported, EngineRefused, PromptLogprobsUnsupported } from '../errors.ts';
import type { LoadedAdapters } from './adapters.ts';
import type { ChatClient, PromptToken } from './chat-client.ts';
import type { Endpoint, ResponsesToScore } from './endpoint.ts';
import type { OnBusy } from './server-requests.ts';

export type ModelServer = Pick<Endpoint, 'serve' | 'chat' | 'score'>;

/** The fine-tuned models that a server answers with: adapters that it loads, or models that it trained itself. */
export type TunedModels = Pick<LoadedAdapters, 'use' | 'useBase' | 'prove'> & {
  /** Whether it trained them itself. Such a server does not say how likely the tokens of a prompt are. */
  readonly hosted?: true;
};

/**
 * @param baseModel the server's name for the base model
 * @param scoresApart whether the log-probabilities of a prompt have to be asked with no request to an adapter beside them. vLLM's CPU build
 *   with LoRA for `lm_head` (the default) dies of them otherwise, and not always at once
 */
export function createModelServer(
  client: ChatClient,
  baseModel: string,
  tunedModels: TunedModels,
  scoresApart: (signal: AbortSignal) => Promise<boolean>,
): ModelServer {
  /** Of the base model of the latest request: the same in all of an experiment. */
  let expected: { readonly of: string; readonly hash: string | undefined } = { of: '', hash: undefined };

  /** Runs `fn` with the server's name for the model. */
  async function withName<T>(
    { base, tuned }: Model,
    signal: AbortSignal,
    fn: (name: string) => Promise<T>,
    onBusy: OnBusy | undefined,
    apart = false,
  ): Promise<T> {
    if (base.weights !== expected.of) {
      expected = { of: base.weights, hash: hashOf(base) };
      client.expectWeights(baseModel, { base: expected.hash, adapter: undefined });
    }
    const weights = expected.hash;
    if (tuned === null) return tunedModels.useBase(signal, () => fn(baseModel), apart ? 'score' : 'base');
    if (tunedModels.hosted && tuned.form !== 'hosted') throw new AdaptersUnsupported(client.url);
    return tunedModels.use(tuned.key, weights, signal, fn, onBusy, apart ? 'alone' : 'adapter');
  }

  return {
    async serve(models, signal, onBusy) {
      await Promise.all(models.map((model) => withName(model, signal, async () => undefined, onBusy)));
      await tunedModels.prove(signal);
    },
    chat: (model, request, signal, onBusy) =>
      withName(model, signal, (name) => client.complete({ ...request, model: name }, signal, onBusy), onBusy),
    async score(model, request, signal, onBusy) {
      if (tunedModels.hosted) throw new PromptLogprobsUnsupported(client.url);
      const apart = await scoresApart(signal);
      return withName(
        model,
        signal,
        (name) => scoreResponses(client, name, request, signal, onBusy),
        onBusy,
        apart,
      );
    },
  };
}

/** The server's name for the model with this content address, which it trained itself. @throws ArtifactMissing */
export type HostedName = (key: string) => Promise<string>;

/** The models that a server trained itself: each is asked by its name there. One short request shows that the server has it. */
export function createHostedModels(client: ChatClient, nameOf: HostedName = noneHere): TunedModels {
  const served = new Map<string, Promise<string>>();

  async function find(key: string, onBusy: OnBusy | undefined): Promise<string> {
    const name = await nameOf(key);
    const messages = [{ role: 'user', content: '1+1' }] as const;
    const probe = { model: name, messages, seed: 0, temperature: 1, top_p: 1, max_tokens: 1 };
    // Many requests wait for the same model, so the signal of one of them does not end the question.
    await notServed(client.url, name, () => client.complete(probe, new AbortController().signal, onBusy));
    return name;
  }

  return {
    hosted: true,
    async use(key, _, signal, fn, onBusy) {
      const found = served.get(key) ?? find(key, onBusy);
      served.set(key, found);
      // One that was not there may come: services need some minutes after a training.
      found.catch(() => served.delete(key));
      const name = await abortable(found, signal);
      return notServed(client.url, name, () => fn(name));
    },
    useBase: (_, fn) => fn(),
    prove: async () => undefined,
  };
}

async function noneHere(key: string): Promise<never> {
  throw new ArtifactMissing(`models/${key}`);
}

async function notServed<T>(url: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof EngineRefused && error.status === 404
      ? new HostedModelNotServed(url, name, error.words)
      : error;
  }
}

/** A model that a server trained is not served there, not yet or not any more. */
export class HostedModelNotServed extends ColloquyError {
  override name = 'HostedModelNotServed' as const;
  // Services need some minutes until a new model answers.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Its name there. */
  readonly model: string;

  constructor(url: string, model: string, words: string) {
    super(
      `${url} trained the model ${model} and does not serve it: ${words}. A new model may need some minutes. Where a service wants a deployment ` +
        `(Azure), make one with this name. If the model was deleted, move its folder out of models in the store: it is then trained again.`,
    );
    this.model = model;
  }
}

/** As engine/serve.py names the base model's weights; undefined where they are not in a folder of this host. */
function hashOf({ weights }: BaseModel): string | undefined {
  const known = /:[0-9a-f]{64}$/.test(weights);
  return known ? createHash('sha256').update(weights).digest('hex') : undefined;
}

/**
 * The score of each response under the model, given the messages before it. A response is put into the prompt as an assistant's
 * message that is not ended (`continue_final_message`), so that neither the turn's end nor what a template writes after it
 * counts: a response that was cut off at `max_tokens` is scored like one that ended by itself. Its tokens are those after the
 * longest beginning that the prompt shares with the prompt without it. A template that writes more before a finished answer than
 * before one to come (an empty `<think></think>`, say) has these tokens counted too. A blank response has no tokens.
 *
 * @param model the server's name for it
 * @throws PromptLogprobsUnsupported, or the chat client's errors; EngineRefused (400) for a response that leaves no room for one more token
 */
export async function scoreResponses(
  client: ChatClient,
  model: string,
  { messages, responses, ...template }: ResponsesToScore,
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<ResponseScore[]> {
  const before = await client.promptTokens(
    { model, messages, add_generation_prompt: true, ...template },
    signal,
    onBusy,
  );
  const scores: ResponseScore[] = [];
  for (const content of responses) {
    const prompt = {
      model,
      messages: [...messages, { role: 'assistant', content }] as const,
      add_generation_prompt: false,
      continue_final_message: true,
      ...template,
    };
    const whole = content.trim() === '' ? [] : await client.promptTokens(prompt, signal, onBusy);
    const own = whole.slice(sharedLength(before, whole));
    scores.push(responseScore(own.map(({ logprob }) => logprob)));
  }
  return scores;
}

function sharedLength(a: readonly PromptToken[], b: readonly PromptToken[]): number {
  const differs = a.findIndex(({ id }, place) => id !== b[place]?.id);
  return differs < 0 ? a.length : differs;
}
