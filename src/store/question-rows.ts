import { z } from 'zod';

/** Rows of questions/train.jsonl. Strict: an answer among them is an error, not something to carry along. */
export const questionSchema = z.strictObject({ id: z.string(), text: z.string() });

/** Rows of questions/heldout.jsonl. */
export const heldOutQuestionSchema = questionSchema.extend({ answer: z.string() });

/** Rows of questions/train-gold.jsonl. */
export const goldLabelSchema = z.strictObject({ questionId: z.string(), answer: z.string() });
