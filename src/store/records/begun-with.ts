/** On what do an experiment's finished debates depend that its config does not hold? */
import { z } from 'zod';
import { baseModelSchema } from '../models.ts';

/** By path or name. */
const hashesSchema = z.record(z.string(), z.string()).readonly();

/** NAME/begun-with.json: written when the experiment begins, and compared each time it is prepared again. */
export const begunWithSchema = z.strictObject({
  formatVersion: z.literal(1),
  models: z.array(z.strictObject({ base: baseModelSchema, files: hashesSchema })),
  /** SHA-256 of the user's own files of questions, by their paths in the config. */
  questionFiles: hashesSchema,
  /** Those that had other bytes when the experiment was last prepared again. Its questions stay the stored ones. */
  changedQuestionFiles: z.array(z.string()).readonly(),
});
export type BegunWith = Readonly<z.infer<typeof begunWithSchema>>;
