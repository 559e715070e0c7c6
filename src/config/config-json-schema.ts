import { z } from 'zod';
import { experimentConfigSchema } from './experiment-config.ts';
import { experimentNameSchema } from './experiment-name.ts';
import { studyConfigSchema } from './study-config.ts';

/**
 * The JSON Schema (draft 7, which editors know best) of a config FILE: nothing is required, as a preset or the paper's
 * settings fill what is open.
 */
export function configJsonSchema(): object {
  const fileSchema = z.strictObject({
    preset: z
      .string()
      .default('quickstart')
      .describe('A file of configs/ without its ending; this one’s settings are laid over it.'),
    name: experimentNameSchema.optional(),
    ...experimentConfigSchema.shape,
  });
  return draft7(fileSchema);
}

/** The same of a study's FILE. */
export function studyJsonSchema(): object {
  const preset = z
    .string()
    .optional()
    .describe('A file of configs/studies/ without its ending; this one’s keys are laid over it.');
  return draft7(z.strictObject({ preset, ...studyConfigSchema.shape }));
}

function draft7(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      delete jsonSchema.required;
      // Without required keys a partial task fits several alternatives, which oneOf would refuse.
      if (jsonSchema.oneOf !== undefined) {
        jsonSchema.anyOf = jsonSchema.oneOf;
        delete jsonSchema.oneOf;
      }
    },
  });
}
