import type { LabelledDebate } from '../algorithm/labelled-debate.ts';
import type { Message } from '../algorithm/prompts.ts';

/** A row of a preference dataset as TRL's DPOTrainer takes it, conversational. */
export type PreferenceRow = {
  readonly prompt: readonly Message[];
  readonly chosen: readonly [Message];
  readonly rejected: readonly [Message];
};

/**
 * What an agent's dialogue teaches a preference about: asked the question, its corrected last answer is preferred to its own first
 * one. Null unless the first answer was wrong by the label and the last one equals it: a corrected dialogue, of which the critic
 * dataset (section 2.3 of the paper) has a sample.
 *
 * @param agent 1..N
 */
export function preferenceRow(agent: number, { dialogues, matches }: LabelledDebate): PreferenceRow | null {
  const right = matches[agent - 1] ?? [];
  const dialogue = dialogues[agent - 1] ?? [];
  const firstAt = dialogue.findIndex(({ role }) => role === 'assistant');
  const [first, last] = [dialogue[firstAt], dialogue.at(-1)];
  const corrected = right.length > 1 && right[0] !== true && right.at(-1) === true;
  if (!corrected || first === undefined || last === undefined) return null;
  return { prompt: dialogue.slice(0, firstAt), chosen: [last], rejected: [first] };
}
