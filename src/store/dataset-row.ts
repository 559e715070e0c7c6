import { z } from 'zod';
import { messageSchema } from './debate-row.ts';

/** A row of iteration-I/datasets/. See Example in src/algorithm/example.ts. */
export const datasetRowSchema = z.strictObject({
  prompt: z.array(messageSchema),
  completion: z.tuple([messageSchema]),
});
