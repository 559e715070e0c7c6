import { z } from 'zod';
import type { Debate } from '../algorithm/debate.ts';
import { questionSchema } from './question-rows.ts';

/** See Message in src/algorithm/message.ts. */
export const messageSchema = z.strictObject({ role: z.enum(['user', 'assistant']), content: z.string() });
const consensusSchema = z.strictObject({
  answer: z.string().nullable(),
  votes: z.number().int(),
  tied: z.number().int(),
});

const debateTokensSchema = z.strictObject({
  prompt: z.number().int(),
  completion: z.number().int(),
  /** Of both, those of round 1: what the same answers cost without a debate. */
  firstRound: z.number().int(),
});

/** A row of a shard: a finished debate and the tokens that it took. See Debate in src/algorithm/debate.ts. */
export const debateRowSchema = z.strictObject({
  question: questionSchema,
  dialogues: z.array(z.array(messageSchema)),
  answers: z.array(z.array(z.string().nullable())),
  majority: consensusSchema,
  consensus: consensusSchema,
  agrees: z.array(z.array(z.boolean())),
  tokens: debateTokensSchema,
  truncated: z.number().int(),
});
export type DebateRow = Debate & {
  readonly tokens: Readonly<z.infer<typeof debateTokensSchema>>;
  /** Prompts that had lost turns, to fit into the model's context. */
  readonly truncated: number;
};
