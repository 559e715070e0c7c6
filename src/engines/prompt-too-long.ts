import type { Message } from '../algorithm/message.ts';
import { EngineRefused } from './engine-refused.ts';

/** Which prompt of a debate it is. */
export type PromptPlace = {
  readonly questionId: string;
  readonly agent: number;
  readonly round: number;
  readonly speaker: string;
};

/** A prompt of a debate and the longest answer to it do not fit into the model's context. */
export class PromptTooLong extends Error {
  override name = 'PromptTooLong' as const;
  readonly place: PromptPlace;

  constructor(place: PromptPlace, messages: readonly Message[], words: string) {
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    super(
      `The prompt of ${place.questionId} for agent ${place.agent} in round ${place.round} (${place.speaker}, ${messages.length} messages, ` +
        `${characters} characters) does not fit into the model's context. The server says: ${words} ` +
        'Take a model with a longer context, fewer rounds, summaries, or a smaller sampling.max_tokens or max_others; ' +
        'with truncate_dialogues: true a dialogue loses its oldest turns instead, where it has more than two rounds.',
    );
    this.place = place;
  }
}

/** Whether a server has refused a request because it is too long, in vLLM's words, OpenAI's, or those of engine/serve.py. */
export function isTooLong(error: unknown): error is EngineRefused {
  return (
    error instanceof EngineRefused &&
    error.status === 400 &&
    /maximum context length|context_length_exceeded|longer than the maximum model length/i.test(error.words)
  );
}
