import { z } from 'zod';

/** Names a model: the experiment's base model, or a finished fine-tune of it. */
export const modelRefSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('base') }),
  z.strictObject({
    kind: z.literal('adapter'),
    /** The content address: a hash of all that determines the weights (base, data, settings, seed, initial adapter). */
    key: z.string().regex(/^[0-9a-f]{64}$/),
    /** `file:///…`, a directory in PEFT's format with a manifest.json. */
    uri: z.string(),
  }),
]);
export type ModelRef = Readonly<z.infer<typeof modelRefSchema>>;
