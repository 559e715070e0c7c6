/** How likely a model finds given responses, by vLLM's `prompt_logprobs`, which engine/serve.py has too. */
import { type ResponseScore, responseScore } from '../../algorithm/measures/diversity.ts';
import type { TemplateVariables } from '../../config/contract.ts';
import type { Message } from '../../algorithm/prompts.ts';
import type { ChatClient, PromptToken } from './chat-client.ts';
import type { OnBusy } from './server-requests.ts';

/** Responses to the same messages, from whichever model. */
export interface ResponsesToScore extends TemplateVariables {
  readonly messages: readonly Message[];
  readonly responses: readonly string[];
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
