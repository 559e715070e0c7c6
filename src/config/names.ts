/** Which names may experiments, series and studies have, and which experiment trackers are there? */
import { z } from 'zod';

// Folders of the store that are no experiment's (src/store/store.ts). The comparison ignores case, as some disks do.
const reserved = new Set(['models', 'logs', 'series', 'studies', 'answers']);

const rule =
  'a name is 1 to 100 letters, digits, ".", "_", "-" or ":", begins with a letter or digit and has no ".." in it';
const seriesRule =
  'a series is 1 to 64 letters, digits, ".", "_" or "-", begins with a letter or digit and has no ".." in it';

/**
 * An experiment's name. It is a folder of the store and a workflow id, so it must not lead out of the store. It may have colons, because
 * a Schedule adds the time to the workflow id: `nightly-2026-11-23T02:00:00Z`.
 */
export const experimentNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/, rule)
  .refine((name) => !name.includes('..'), rule)
  .refine(
    (name) => !reserved.has(name.toLowerCase()),
    `${[...reserved].map((name) => `"${name}"`).join(', ')} are folders of the store: another name is needed`,
  )
  .describe(
    'Name of the experiment: its folder below runs/ and its workflow id. Default: the name of the file.',
  );

/** A series' name. It is a folder of the store; each night's name is the series' name and a time. */
export const seriesNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, seriesRule)
  .refine((name) => !name.includes('..'), seriesRule)
  .describe('Name of the series: its folder below runs/series/.');

/** A study's name. It is a folder of the store and a workflow id, and the names of the study's experiments begin with it. */
export const studyNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/,
    'a study is 1 to 32 letters, digits, "_" or "-", and begins with a letter or digit',
  )
  .describe(
    'Name of the study: its folder below runs/studies/ and its workflow id. Default: the name of the file.',
  );

/** The experiment trackers that can show the metrics of an experiment, by the names that TRL's `report_to` has for them. */
export const trackerNames = ['trackio', 'mlflow', 'wandb', 'tensorboard'] as const;
export type TrackerName = (typeof trackerNames)[number];

const trackerName = z.enum(trackerNames);
export const reportToSchema = z
  .union([z.literal('none'), trackerName, z.array(trackerName)])
  .optional()
  .describe(
    'The experiment trackers that follow the experiment while it runs: one of them, or a list. Where they are, and their keys, the environment of the workers says: docs/trackers.md. Default: none.',
  );

/** The trackers of a config, each once. */
export function trackersOf({
  report_to: given = 'none',
}: {
  readonly report_to?: z.infer<typeof reportToSchema>;
}): TrackerName[] {
  const names = typeof given === 'string' ? [given] : given;
  return trackerNames.filter((each) => names.includes(each));
}
