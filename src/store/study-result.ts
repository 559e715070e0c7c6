import { z } from 'zod';
import { experimentNameSchema } from '../config/experiment-name.ts';
import { methodNames } from '../algorithm/methods/methods.ts';

/** runs/studies/NAME/study.json: which experiments a study has. */
export const studyDocumentSchema = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string(),
  cells: z.array(
    z.strictObject({
      name: experimentNameSchema,
      experiment: z.string(),
      method: z.enum(methodNames),
      seed: z.number().int(),
    }),
  ),
});
export type StudyDocument = z.infer<typeof studyDocumentSchema>;

/** The workflow's result. */
export type StudyResult = {
  readonly name: string;
  /** Of how many experiments. */
  readonly experiments: number;
  readonly finished: number;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** Relative to runs/studies/NAME. */
  readonly files: readonly string[];
};
