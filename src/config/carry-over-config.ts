import { z } from 'zod';
import { seriesNameSchema } from './experiment-name.ts';

/** What makes an experiment one night of a series. */
export const carryOverSchema = z
  .strictObject({
    series: seriesNameSchema,
    max_drop: z
      .number()
      .min(0)
      .max(1)
      .default(0.03)
      .describe(
        'The night is not carried on when its held-out debate accuracy falls by more than this share, e.g. 0.03 for three points.',
      ),
  })
  .describe(
    'Makes the experiment one night of a series: it goes on from the last accepted night’s agents with the next `train_size` questions.',
  );
