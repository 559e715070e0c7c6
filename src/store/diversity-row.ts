import { z } from 'zod';

const divergenceSchema = z.strictObject({ perToken: z.number(), perResponse: z.number() });
const ratioSchema = z
  .strictObject({ value: z.number(), standardError: z.number(), of: z.number() })
  .nullable();
const meanDivergenceSchema = z.strictObject({ perToken: ratioSchema, perResponse: ratioSchema });

/** One question. See QuestionDiversity in src/algorithm/measures/diversity.ts. */
const diversityRowSchema = z.strictObject({
  questionId: z.string(),
  nllOfOthers: z.number().nullable(),
  betweenAgents: divergenceSchema.nullable(),
  fromBase: divergenceSchema.nullable(),
  dissimilarity: z.number().nullable(),
  distinctAnswers: z.number().int(),
});

/** iteration-I/diversity.json: how diverse the agents' first answers to a sample of the held-out questions are. */
export const diversitySchema = z.strictObject({
  iteration: z.number().int(),
  /** What made texts into vectors: `ngrams`, or the model's name. Only dissimilarities of the same encoder compare. */
  encoder: z.string(),
  /** Why likelihoods of some or all questions are missing; null when none is. */
  leftOut: z.string().nullable(),
  nllOfOthers: ratioSchema,
  betweenAgents: meanDivergenceSchema,
  fromBase: meanDivergenceSchema,
  dissimilarity: ratioSchema,
  distinctAnswers: ratioSchema,
  /** In the order of the held-out questions. */
  rows: z.array(diversityRowSchema),
});
export type DiversityDocument = z.infer<typeof diversitySchema>;
