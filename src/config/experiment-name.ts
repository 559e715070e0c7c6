import { z } from 'zod';

// Folders of the store beside the experiments' own (src/store/open-store.ts); compared without case, as some disks do.
const reserved = new Set(['models', 'logs']);

const rule =
  'a name is 1 to 100 letters, digits, ".", "_" or "-", begins with a letter or digit and has no ".." in it';

/** An experiment's name: it is a folder of the store and a workflow id, so nothing that could lead out of either. */
export const experimentNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, rule)
  .refine((name) => !name.includes('..'), rule)
  .refine(
    (name) => !reserved.has(name.toLowerCase()),
    `"models" and "logs" are folders of the store: another name is needed`,
  )
  .describe(
    'Name of the experiment: its folder below runs/ and its workflow id. Default: the name of the file.',
  );
