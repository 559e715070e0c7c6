/** A study: experiments x methods x seeds, compared. */
import { z } from 'zod';
import { methodNames } from '../algorithm/methods/methods.ts';
import { studyNameSchema } from './experiment-name.ts';

const labelRule =
  'a name within a study is 1 to 24 letters, digits, "_" or "-", and begins with a letter or digit';

/** Settings of experiments as a config has them; what is wrong with them is told by the schema of experiments. */
const settingsSchema = z.record(z.string(), z.unknown());

const experimentSchema = settingsSchema
  .and(z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/, labelRule) }))
  .describe('A column of the tables: its name, and the settings that it does not share with the others.');

export const studyConfigSchema = z.strictObject({
  name: studyNameSchema.optional(),
  methods: z
    .array(z.enum(methodNames))
    .min(1)
    .describe('The rows of the tables, in their order: docs/methods.md.'),
  seeds: z
    .array(z.int().min(0).max(2_147_483_647))
    .min(1)
    .default([0])
    .describe('Each experiment is run with each of these seeds.'),
  parallel: z.int().min(1).max(64).default(2).describe('So many experiments run at once.'),
  settings: settingsSchema.default({}).describe('What all experiments share.'),
  method_settings: z
    .partialRecord(z.enum(methodNames), settingsSchema)
    .default({})
    .describe(
      'What the experiments of one method have otherwise, e.g. {star: {init_from: base}}. Of a method that the study has not, it is not used.',
    ),
  experiments: z.array(experimentSchema).min(1).describe('Tasks and models: the columns of the tables.'),
});
export type StudyConfig = z.infer<typeof studyConfigSchema>;
