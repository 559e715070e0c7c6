import { z } from 'zod';

/** questions/left-out.json: the questions of a task that are not asked, and why. */
export const leftOutDocumentSchema = z.object({
  formatVersion: z.literal(1),
  leftOut: z.array(z.object({ what: z.string(), count: z.int(), examples: z.array(z.string()) })),
});
export type LeftOutDocument = z.infer<typeof leftOutDocumentSchema>;
