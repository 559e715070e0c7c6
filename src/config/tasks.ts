import { z } from 'zod';

/**
 * The datasets of the Hugging Face hub that tasks ask from, each at one commit, so that an experiment asks the same questions
 * next year. The commits and file names are those that many public repositories pin and load; docs/tasks.md says how that was checked.
 */
export type HubDataset = {
  /** On the hub. */
  readonly name: string;
  /** The commit. */
  readonly revision: string;
  /** Its configs that are read, one after the other. */
  readonly configs: readonly string[];
  /** Where the rows of a split of a config are. */
  readonly file: string;
};

const shard = '{config}/{split}-00000-of-00001.parquet';

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

/** The `task` of an experiment: where its questions come from. */
const mostQuestions = 100_000;
const size = z.int().min(1).max(mostQuestions);

const range = z
  .tuple([z.int().min(0).max(1_000_000_000), z.int().min(0).max(1_000_000_000)])
  .refine(([least, most]) => least <= most, '[least, most]: the first number must not exceed the second');

const arithmeticTaskSchema = z
  .strictObject({
    kind: z.literal('arithmetic').describe('Generated arithmetic questions.'),
    form: z
      .string()
      .regex(
        /^[a-z](?:[-+*][a-z]){0,25}$/,
        'expected small letters joined by + - *, without spaces, e.g. a+b*c-d',
      )
      .default('a+b*c+d-e*f')
      .describe('Each letter stands for a drawn number, e.g. a+b*c-d.'),
    range: range.default([0, 30]).describe('[least, most] of every letter that `ranges` does not name.'),
    ranges: z
      .record(z.string().regex(/^[a-z]$/, 'expected one small letter'), range)
      .default({})
      .describe(
        '[least, most] of single letters. Letters that the form does not use are ignored, so that the form can be changed alone.',
      ),
    train_size: size.default(500).describe('Questions to debate and learn from.'),
    test_size: size.default(500).describe('Held-out questions.'),
  })
  .describe(
    'Arithmetic as in the paper: seeded, no question twice, training and held-out questions never the same.',
  );

/** A branch would move under an experiment; only a commit stays what it is. */
const commit = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'expected a commit of the dataset: 40 hexadecimal digits, not a branch or a tag');
const folder = z.string().min(1);
/** What a path of a task file means (paths-beside.ts). */
const place =
  "Absolute, or relative to the config file (on the command line to the current folder); what is not there, to the worker's current folder.";
const copy = 'as `hf download` leaves it, or one .jsonl or .parquet file named after each split';

const otherSetSchema = z
  .strictObject({
    kind: z
      .enum(['gsm8k', 'math', 'math-500', 'mmlu'])
      .describe('The held-out split of this dataset, all levels of it.'),
    revision: commit.optional().describe('Another commit than the one that its own task has.'),
    dataset_path: folder.optional().describe('A folder with a copy of the dataset.'),
  })
  .describe('A dataset.');

/** What tasks have in common whose questions are read and not generated. */
const read = {
  decontaminate: z
    .array(z.union([folder, otherSetSchema]))
    .optional()
    .describe(
      'Training questions that any of these sets has too, by normalised text, are left out, and counted. Each is a .jsonl or .parquet file with a `question` or `problem`, or {kind: math-500} and the like.',
    ),
  skip_unreadable: z
    .boolean()
    .optional()
    .describe('Leave out questions whose gold answer the grader cannot read, instead of refusing the task.'),
};
const sizes = {
  train_size: size.default(500).describe('Training questions, drawn by the seed.'),
  test_size: size.default(500).describe('Held-out questions, drawn by the seed.'),
};
const source = ({ name, revision }: { readonly name: string; readonly revision: string }) => ({
  revision: commit.default(revision).describe(`The commit of ${name} on the Hugging Face hub.`),
  dataset_path: folder
    .optional()
    .describe(`A folder with a copy of ${name}, instead of the hub: ${copy}. ${place}`),
});
const levels = z.array(z.int().min(1).max(5)).min(1);

const gsm8kTaskSchema = z
  .strictObject({
    kind: z.literal('gsm8k').describe('GSM8K: trained on its training split, measured on its test split.'),
    ...source(hubDatasets.gsm8k),
    ...sizes,
    ...read,
  })
  .describe('Grade school word problems (openai/gsm8k).');

const mathTaskSchema = z
  .strictObject({
    kind: z.literal('math').describe('MATH: trained on its training split, measured on its test split.'),
    levels: levels.default([1, 2, 3]).describe('Which of the five levels are asked. The paper: 1 to 3.'),
    ...source(hubDatasets.math),
    ...sizes,
    ...read,
  })
  .describe('Competition mathematics, all seven subjects (EleutherAI/hendrycks_math).');

const math500TaskSchema = z
  .strictObject({
    kind: z.literal('math-500').describe('MATH-500 measures; the training split of MATH is trained on.'),
    levels: levels
      .default([1, 2, 3, 4, 5])
      .describe(
        'Which of the five levels are asked, in training and held out. Fewer levels have fewer than 500 held-out questions.',
      ),
    ...source(hubDatasets['math-500']),
    train_revision: commit
      .default(hubDatasets.math.revision)
      .describe(`The commit of ${hubDatasets.math.name}, which is trained on.`),
    train_dataset_path: folder.optional().describe(`A folder with a copy of ${hubDatasets.math.name}.`),
    ...sizes,
    ...read,
  })
  .describe('The 500 held-out questions of MATH that newer work measures with (HuggingFaceH4/MATH-500).');

const mmluTaskSchema = z
  .strictObject({
    kind: z
      .literal('mmlu')
      .describe('MMLU: trained on its validation split, measured on its test split, all 57 subjects.'),
    ...source(hubDatasets.mmlu),
    ...sizes,
    ...read,
  })
  .describe('Multiple choice questions with four choices (cais/mmlu).');

const jsonlTaskSchema = z
  .strictObject({
    kind: z
      .literal('jsonl')
      .describe(
        'Questions from files of rows {"question": …, "answer": …}: JSON lines, or Parquet when the name ends in .parquet.',
      ),
    train_file: z.string().min(1).describe(place),
    test_file: z
      .string()
      .min(1)
      .optional()
      .describe('Held-out questions. Without it, questions of train_file drawn by the seed are held out.'),
    train_size: size.optional().describe('So many training questions, drawn by the seed. Default: all.'),
    test_size: size
      .optional()
      .describe(
        'So many held-out questions, drawn by the seed. Default: all of test_file; without one, a fifth of train_file, at most 500.',
      ),
    ...read,
  })
  .describe('Your own questions.');

export const taskConfigSchema = z.discriminatedUnion('kind', [
  arithmeticTaskSchema,
  gsm8kTaskSchema,
  mathTaskSchema,
  math500TaskSchema,
  mmluTaskSchema,
  jsonlTaskSchema,
]);
export type TaskConfig = z.infer<typeof taskConfigSchema>;
export type ArithmeticTask = z.infer<typeof arithmeticTaskSchema>;
export type JsonlTask = z.infer<typeof jsonlTaskSchema>;
/** A task from a dataset of the hub. */
export type DatasetTask = Exclude<TaskConfig, ArithmeticTask | JsonlTask>;
/** A task whose questions are read: they can overlap, be too few, or have answers that nobody can grade. */
export type ReadTask = DatasetTask | JsonlTask;
/** A set of questions that must not be trained on. */
export type OtherSet = NonNullable<ReadTask['decontaminate']>[number];
