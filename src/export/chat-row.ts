import type { Example } from '../algorithm/dataset.ts';
import type { Message } from '../algorithm/prompts.ts';

/** A row in the form of OpenAI's fine-tuning API: a message of weight 0 adds nothing to the loss. */
export type ChatRow = { readonly messages: readonly (Message & { readonly weight?: 0 | 1 })[] };

/**
 * An example as a chat: the loss is on the last message alone. The last one's weight is written too, so that all rows have the
 * same fields, which readers of tables infer from the first rows.
 */
export function chatRow({ prompt, completion: [response] }: Example): ChatRow {
  const before = prompt.map((message) =>
    message.role === 'assistant' ? { ...message, weight: 0 as const } : message,
  );
  return { messages: [...before, { ...response, weight: 1 }] };
}
