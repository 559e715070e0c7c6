import { z } from 'zod';

const judgedSchema = z.strictObject({ answer: z.string().nullable(), correct: z.boolean() });

/** A held-out question's outcome. See Outcome in src/algorithm/evaluation.ts. */
export const outcomeSchema = z.strictObject({
  questionId: z.string(),
  question: z.string(),
  gold: z.string(),
  single: z.array(judgedSchema),
  majority: judgedSchema,
  debate: judgedSchema,
  right: z.array(z.array(z.boolean())),
  classes: z.array(z.array(z.number().int().nullable())),
});

/** A row of evaluation.jsonl: the outcomes of all iterations, 0 being the base model. */
export const evaluationRowSchema = outcomeSchema.extend({ iteration: z.number().int() });
