import type { Message } from './message.ts';

/** One row of a dataset, in TRL's prompt-completion form: the loss is on the completion alone, the model's own last turn. */
export type Example = {
  readonly prompt: readonly Message[];
  readonly completion: readonly [Message];
};

/** A dialogue, split before its last message. Null when that message is not a response. */
export function exampleOf(dialogue: readonly Message[]): Example | null {
  const response = dialogue.at(-1);
  return response?.role === 'assistant' ? { prompt: dialogue.slice(0, -1), completion: [response] } : null;
}
