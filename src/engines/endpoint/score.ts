/** How likely a model finds given responses, by vLLM's `prompt_logprobs`, which engine/serve.py has too. */
import { z } from 'zod';
import { type ResponseScore, responseScore } from '../../algorithm/measures/diversity.ts';
import type { Message } from '../../algorithm/prompts.ts';
import { EngineRefused, PromptLogprobsUnsupported } from '../errors.ts';
import type { ChatClient, OnBusy } from './chat-client.ts';

/** Responses to the same messages, whoever gave them. */
export interface ResponsesToScore {
  readonly messages: readonly Message[];
  readonly responses: readonly string[];
}

/**
 * The score of each response under the model, given the messages before it. A response is put into the prompt as an assistant's
 * message that is not ended (`continue_final_message`), so that neither the turn's end nor what a template writes after it
 * counts: what was cut off at `max_tokens` is scored as what ended by itself. Its tokens are those after the longest beginning
 * that the prompt shares with the prompt without it. A template that writes more before a finished answer than before one to
 * come (an empty `<think></think>`, say) has these tokens counted too. A blank response has no tokens.
 *
 * @param model the server's name for it
 * @throws PromptLogprobsUnsupported, or the chat client's errors; EngineRefused (400) for a response that leaves no room for one more token
 */
export async function scoreResponses(
  client: ChatClient,
  model: string,
  { messages, responses }: ResponsesToScore,
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<ResponseScore[]> {
  const tokensOf = async (chat: readonly Message[], ending: object): Promise<Token[]> =>
    promptTokens(client, { model, messages: chat, ...ending }, signal, onBusy);
  const before = await tokensOf(messages, { add_generation_prompt: true });
  const scores: ResponseScore[] = [];
  for (const content of responses) {
    const whole =
      content.trim() === ''
        ? []
        : await tokensOf([...messages, { role: 'assistant', content }], {
            add_generation_prompt: false,
            continue_final_message: true,
          });
    const own = whole.slice(sharedLength(before, whole));
    scores.push(responseScore(own.map(({ logprob }) => logprob)));
  }
  return scores;
}

/** `id` is null for a prompt's first token, of which nothing is told. */
type Token = { readonly id: string | null; readonly logprob: number };

async function promptTokens(
  client: ChatClient,
  chat: object,
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<Token[]> {
  // 0: the prompt's own tokens, and no likelier ones beside them.
  const body = { ...chat, max_tokens: 1, temperature: 0, seed: 0, prompt_logprobs: 0 };
  const answer = await client.post(chatPath, body, answerSchema, signal, onBusy).catch((error: unknown) => {
    if (error instanceof EngineRefused && /prompt_logprobs/.test(error.words))
      throw new PromptLogprobsUnsupported(error.url);
    throw error;
  });
  if (!answer.prompt_logprobs) throw new PromptLogprobsUnsupported(client.url);
  return answer.prompt_logprobs.map((place) => {
    const [own] = Object.entries(place ?? {});
    return own === undefined ? { id: null, logprob: 0 } : { id: own[0], logprob: own[1].logprob };
  });
}

function sharedLength(a: readonly Token[], b: readonly Token[]): number {
  const differs = a.findIndex(({ id }, place) => id !== b[place]?.id);
  return differs < 0 ? a.length : differs;
}

const chatPath = '/chat/completions';

/** By place in the prompt, then by token id. */
const answerSchema = z.object({
  prompt_logprobs: z.array(z.record(z.string(), z.object({ logprob: z.number() })).nullable()).nullish(),
});

/** Texts as vectors, by OpenAI's POST /v1/embeddings, which vLLM has too. */
/**
 * The embedding of each text, in the order of the texts.
 *
 * @param model the server's name for the sentence encoder
 * @param texts few and not blank: they are sent as one request, which servers limit (OpenAI to 2,048 texts)
 * @throws the chat client's errors
 */
export async function embedTexts(
  client: ChatClient,
  model: string,
  texts: readonly string[],
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<number[][]> {
  const body = { model, input: texts, encoding_format: 'float' };
  const schema = z.object({ data: z.array(embeddingSchema).length(texts.length) });
  const { data } = await client.post('/embeddings', body, schema, signal, onBusy);
  return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
}

const embeddingSchema = z.object({ index: z.number(), embedding: z.array(z.number()).min(1) });
