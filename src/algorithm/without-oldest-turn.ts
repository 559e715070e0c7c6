import type { Message } from './message.ts';

/**
 * A dialogue without the oldest response that can go and what was said to it: the question stays, and so does the last response, which is
 * to be revised. Null when nothing more can go.
 */
export function withoutOldestTurn(messages: readonly Message[]): readonly Message[] | null {
  return messages.length < 5 ? null : [...messages.slice(0, 1), ...messages.slice(3)];
}
