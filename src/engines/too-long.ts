/** What when a prompt and its answer do not fit into a model's context? */
import type { Message } from '../algorithm/prompts.ts';
import { ColloquyError, exitCodes } from '../errors.ts';
import { EngineRefused } from './errors.ts';

/**
 * An answer ended before it had `max_tokens` tokens, because the prompt left no more room in the model's context. It is no answer of the
 * model: servers such as vLLM give it with status 200.
 */
export class ContextFull extends ColloquyError {
  override name = 'ContextFull' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What happened, for PromptTooLong. */
  readonly words: string;

  constructor(
    url: string,
    tokens: { readonly promptTokens: number; readonly taken: number; readonly maxTokens: number },
  ) {
    const { promptTokens, taken, maxTokens } = tokens;
    const words = `the answer was cut off after ${taken} of ${maxTokens} tokens, as the prompt of ${promptTokens} tokens left no more room.`;
    super(`${url} has too short a context: ${words}`);
    this.words = words;
  }
}

/** Which prompt of a debate it is. */
export type PromptPlace = {
  readonly questionId: string;
  readonly agent: number;
  readonly round: number;
  readonly speaker: string;
};

/** A prompt of a debate and the longest answer to it do not fit into the model's context. */
export class PromptTooLong extends ColloquyError {
  override name = 'PromptTooLong' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly place: PromptPlace;

  constructor(place: PromptPlace, messages: readonly Message[], words: string) {
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    super(
      `The prompt of ${place.questionId} for agent ${place.agent} in round ${place.round} (${place.speaker}, ${messages.length} messages, ` +
        `${characters} characters) does not fit into the model's context. The server says: ${words} ` +
        'With truncate_dialogues: true, which can be changed now, a dialogue loses its oldest turns instead, where it has more than two rounds. ' +
        'Or begin another experiment with a model of a longer context, fewer rounds, summaries, or a smaller sampling.max_tokens or max_others.',
    );
    this.place = place;
  }
}

/**
 * Whether a prompt and its answer did not fit into the context: refused so in the words of vLLM, OpenAI, llama.cpp or engine/serve.py, or
 * answered with what there was room for.
 */
export function isTooLong(error: unknown): error is EngineRefused | ContextFull {
  if (error instanceof ContextFull) return true;
  return (
    error instanceof EngineRefused &&
    error.status === 400 &&
    /maximum context length|context_length_exceeded|longer than the maximum model length|exceeds the available context size/i.test(
      error.words,
    )
  );
}
