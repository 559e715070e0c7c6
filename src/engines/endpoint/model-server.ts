/** What one running server answers for a base model and for the models fine-tuned on it: the part that all endpoints share. */
import { createHash } from 'node:crypto';
import { type ResponseScore, responseScore } from '../../algorithm/measures/diversity.ts';
import type { BaseModel, Model } from '../../store/models.ts';
import { AdaptersUnsupported, PromptLogprobsUnsupported } from '../errors.ts';
import type { LoadedAdapters } from './adapters.ts';
import type { ChatClient, PromptToken } from './chat-client.ts';
import type { Endpoint, ResponsesToScore } from './endpoint.ts';
import type { OnBusy } from './server-requests.ts';

export type ModelServer = Pick<Endpoint, 'serve' | 'chat' | 'score'>;

/**
 * @param baseModel the server's name for the base model
 * @param adapters null for a server that has only its own models: it says nothing about its prompts' tokens either
 * @param scoresApart whether the log-probabilities of a prompt have to be asked with no request to an adapter beside them. vLLM's CPU build
 *   with LoRA for `lm_head` (the default) dies of them otherwise, and not always at once
 */
export function createModelServer(
  client: ChatClient,
  baseModel: string,
  adapters: LoadedAdapters | null,
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
    if (tuned === null && adapters === null) return fn(baseModel);
    if (adapters === null) throw new AdaptersUnsupported(client.url);
    if (tuned === null) return adapters.useBase(signal, () => fn(baseModel), apart ? 'score' : 'base');
    return adapters.use(tuned.key, weights, signal, fn, onBusy, apart ? 'alone' : 'adapter');
  }

  return {
    async serve(models, signal, onBusy) {
      await Promise.all(models.map((model) => withName(model, signal, async () => undefined, onBusy)));
      await adapters?.prove(signal);
    },
    chat: (model, request, signal, onBusy) =>
      withName(model, signal, (name) => client.complete({ ...request, model: name }, signal, onBusy), onBusy),
    async score(model, request, signal, onBusy) {
      if (adapters === null) throw new PromptLogprobsUnsupported(client.url);
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
