/** Which names may experiments, series and studies have, which experiment trackers are there, and what do the names of datasets stand for on the hub? */
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

/** A dataset of the Hugging Face hub. */
export type HubDataset = {
  /** Its name on the hub. */
  readonly name: string;
  /** A commit, so that an experiment asks the same questions next year. */
  readonly revision: string;
  /** The configs that are read, in this order. */
  readonly configs: readonly string[];
  /** The path of the file with the rows of a split of a config. */
  readonly file: string;
};

const shard = '{config}/{split}-00000-of-00001.parquet';

/** The commits and file names are those that many public repositories pin and load; docs/tasks.md explains how that was checked. */
export const hubDatasets = {
  gsm8k: {
    name: 'openai/gsm8k',
    revision: '740312add88f781978c0658806c59bc2815b9866',
    configs: ['main'],
    file: shard,
  },
  math: {
    name: 'EleutherAI/hendrycks_math',
    revision: '21a5633873b6a120296cce3e2df9d5550074f4a3',
    configs: [
      'algebra',
      'counting_and_probability',
      'geometry',
      'intermediate_algebra',
      'number_theory',
      'prealgebra',
      'precalculus',
    ],
    file: shard,
  },
  'math-500': {
    name: 'HuggingFaceH4/MATH-500',
    revision: '6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be',
    configs: ['default'],
    file: '{split}.jsonl',
  },
  mmlu: {
    name: 'cais/mmlu',
    revision: 'c30699e8356da336a370243923dbaf21066bb9fe',
    configs: ['all'],
    file: shard,
  },
} as const satisfies Record<string, HubDataset>;

/** A branch or a tag can change while an experiment uses it; a commit cannot. */
export const commit = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'expected a commit of the dataset: 40 hexadecimal digits, not a branch or a tag');

/** A dataset with a task of its own, as a config names it where only its held-out questions are wanted. */
export const namedDatasetSchema = z
  .strictObject({
    kind: z
      .enum(['gsm8k', 'math', 'math-500', 'mmlu'])
      .describe('The held-out split of this dataset, with all its levels.'),
    revision: commit.optional().describe('A commit of the dataset. Default: that of its own task.'),
    dataset_path: z.string().min(1).optional().describe('A folder with a copy of the dataset.'),
  })
  .describe('A dataset.');
