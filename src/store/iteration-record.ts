import { z } from 'zod';
import { experimentResultSchema } from './experiment-result.ts';

const { evaluations, iterations } = experimentResultSchema.shape;
const tokensSchema = experimentResultSchema.shape.tokens.shape.debate;

/** iteration-I/evaluation.json; evaluation-vote.json and evaluation-transfer-NAME.json beside it. */
export const evaluationRecordSchema = z.strictObject({
  evaluation: evaluations.element,
  /** Of a majority at equal tokens: of how many answers. */
  votes: z.number().int().optional(),
  tokens: tokensSchema,
  seconds: z.number(),
});

/** iteration-I/record.json: what an iteration did before it was evaluated. */
export const iterationRecordSchema = iterations.element.extend({
  tokens: z.strictObject({ debate: tokensSchema, fineTune: z.number().int() }),
  seconds: z.strictObject({ debate: z.number(), datasets: z.number(), fineTune: z.number() }),
});
export type IterationRecord = z.infer<typeof iterationRecordSchema>;
