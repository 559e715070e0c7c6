/** Where do the questions of an experiment come from? The `task` of an experiment, and the datasets that tasks use. */
import { basename } from 'node:path';
import { z } from 'zod';
import { commit, hubDatasets, namedDatasetSchema } from './names.ts';

const mostQuestions = 100_000;
const size = z.int().min(1).max(mostQuestions);
const validationSize = z.int().min(0).max(mostQuestions).optional();

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
      .describe('The form of the questions. Each letter becomes a random number, e.g. a+b*c-d.'),
    range: range.default([0, 30]).describe('[least, most] of every letter that is not in `ranges`.'),
    ranges: z
      .record(z.string().regex(/^[a-z]$/, 'expected one small letter'), range)
      .default({})
      .describe(
        '[least, most] of single letters. Letters that are not in the form are ignored, so that you can change only the form.',
      ),
    train_size: size.default(500).describe('Training questions.'),
    test_size: size.default(500).describe('Held-out questions.'),
    validation_size: validationSize.describe(
      'Validation questions, apart from the others: for `guard` and `answer: auto`. Default: none.',
    ),
  })
  .describe(
    'Arithmetic as in the paper. The questions follow from the seed; no question occurs twice, in training and held-out questions together.',
  );

const folder = z.string().min(1);
/** See `resolveTaskPaths` in load.ts. */
const place =
  "Absolute, or relative to the config file (on the command line: to the current folder). A path that is not found there is relative to the worker's current folder.";
const copy = 'as `hf download` leaves it, or one .jsonl or .parquet file named after each split';

/** The settings of all tasks whose questions are read and not generated. */
const read = {
  decontaminate: z
    .array(z.union([folder, namedDatasetSchema]))
    .optional()
    .describe(
      'Training questions that are also in one of these sets (compared by normalised text) are left out and counted. A set is a .jsonl or .parquet file whose rows have a `question` or a `problem`, or a dataset such as {kind: math-500}.',
    ),
  skip_unreadable: z
    .boolean()
    .optional()
    .describe(
      'Leaves out questions whose gold answer the grader cannot read. Otherwise such a task is refused.',
    ),
  scorer: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A program that judges the answers: a name that the worker’s configs/scorers.yaml defines. Default: the grader. Votes always compare answers by the grader.',
    ),
};
const sizes = {
  train_size: size.default(500).describe('Training questions, drawn by the seed.'),
  test_size: size.default(500).describe('Held-out questions, drawn by the seed.'),
  validation_size: validationSize.describe(
    'Validation questions, for `guard` and `answer: auto`: drawn by the seed from those of the held-out split that `test_size` leaves. Default: none.',
  ),
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
    kind: z
      .literal('gsm8k')
      .describe('GSM8K: training questions from its training split, held-out questions from its test split.'),
    ...source(hubDatasets.gsm8k),
    ...sizes,
    ...read,
  })
  .describe('Grade school word problems (openai/gsm8k).');

const mathTaskSchema = z
  .strictObject({
    kind: z
      .literal('math')
      .describe('MATH: training questions from its training split, held-out questions from its test split.'),
    levels: levels.default([1, 2, 3]).describe('Which of the five levels are used. The paper: 1 to 3.'),
    ...source(hubDatasets.math),
    ...sizes,
    ...read,
  })
  .describe('Competition mathematics, all seven subjects (EleutherAI/hendrycks_math).');

const math500TaskSchema = z
  .strictObject({
    kind: z
      .literal('math-500')
      .describe(
        'MATH-500: held-out questions from MATH-500, training questions from the training split of MATH.',
      ),
    levels: levels
      .default([1, 2, 3, 4, 5])
      .describe(
        'Which of the five levels are used, for training and held-out questions. With fewer levels there are fewer than 500 held-out questions.',
      ),
    ...source(hubDatasets['math-500']),
    train_revision: commit
      .default(hubDatasets.math.revision)
      .describe(`The commit of ${hubDatasets.math.name}, for the training questions.`),
    train_dataset_path: folder.optional().describe(`A folder with a copy of ${hubDatasets.math.name}.`),
    ...sizes,
    ...read,
  })
  .describe('The 500 questions of MATH that newer papers evaluate on (HuggingFaceH4/MATH-500).');

const mmluTaskSchema = z
  .strictObject({
    kind: z
      .literal('mmlu')
      .describe(
        'MMLU, all 57 subjects: training questions from its validation split, held-out questions from its test split.',
      ),
    ...source(hubDatasets.mmlu),
    ...sizes,
    ...read,
  })
  .describe('Multiple choice questions with four choices (cais/mmlu).');

/** A column, or a field within one: `question.text`. */
const column = z.string().min(1);
const splitName = z.string().min(1);

const hubTaskSchema = z
  .strictObject({
    kind: z
      .literal('hub')
      .describe('Any dataset of the Hugging Face hub whose files are Parquet or JSON lines: docs/tasks.md.'),
    dataset: z
      .string()
      .regex(
        /^[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/,
        'expected OWNER/NAME, as the hub has it',
      )
      .describe('Its name on the hub, e.g. openai/gsm8k.'),
    config: z
      .string()
      .min(1)
      .optional()
      .describe('Which of its configs (subsets). Default: the only one, or the default one.'),
    splits: z
      .strictObject({
        train: splitName.describe('Training questions.'),
        test: splitName
          .optional()
          .describe('Held-out questions. Default: questions of the training split, drawn by the seed.'),
      })
      .default({ train: 'train', test: 'test' })
      .describe('Which splits are trained and measured on.'),
    columns: z
      .strictObject({
        question: column.default('question').describe('The column with the question.'),
        answer: column.default('answer').describe('The column with the gold answer.'),
        choices: column
          .optional()
          .describe(
            'For multiple choice: the column with the list of choices. The answer is then the place of the right one (0 is the first) or its letter.',
          ),
      })
      .optional()
      .describe(
        'The names of the columns, if they are not `question` and `answer`. A field within a column is named with a dot, e.g. {question: question.text}.',
      ),
    gold: z
      .union([
        z.enum(['marked', 'boxed']),
        z.strictObject({ after: z.string().min(1).describe('The marker.') }),
      ])
      .optional()
      .describe(
        'Where in the answer column the gold answer stands: `boxed`, in the last \\boxed{…}; {after: "####"}, behind the last such marker. Default: `marked`, the whole text, or what a worked solution marks as its answer.',
      ),
    revision: commit
      .optional()
      .describe(
        'The commit of the dataset. Default: the newest one when the experiment begins, which questions/source.json then names.',
      ),
    dataset_path: folder
      .optional()
      .describe(`A folder with a copy of the dataset, instead of the hub: ${copy}. ${place}`),
    ...sizes,
    ...read,
  })
  .describe('Any dataset of the hub.');

const jsonlTaskSchema = z
  .strictObject({
    kind: z
      .literal('jsonl')
      .describe(
        'Questions from files of rows {"question": …, "answer": …}: JSON lines (also compressed with gzip), a JSON list, or Parquet when the name ends in .parquet.',
      ),
    train_file: z.string().min(1).describe(`Training questions. ${place}`),
    test_file: z
      .string()
      .min(1)
      .optional()
      .describe('Held-out questions. Default: questions of train_file, drawn by the seed.'),
    train_size: size.optional().describe('Training questions, drawn by the seed. Default: all.'),
    test_size: size
      .optional()
      .describe(
        'Held-out questions, drawn by the seed. Default: all of test_file; without a test_file, a fifth of train_file, at most 500.',
      ),
    validation_file: z
      .string()
      .min(1)
      .optional()
      .describe(
        `Validation questions. Those that training or held-out questions have too are left out. ${place}`,
      ),
    validation_size: validationSize.describe(
      'Validation questions, for `guard` and `answer: auto`, drawn by the seed. Default: all of validation_file. Without a validation_file they are questions of test_file that are not held out, or questions of train_file that are neither held out nor trained on; by default none.',
    ),
    columns: z
      .strictObject({
        question: z.string().min(1).default('question').describe('The column with the question.'),
        answer: z.string().min(1).default('answer').describe('The column with the gold answer.'),
      })
      .optional()
      .describe(
        'The names of the columns, if they are not `question` and `answer`, e.g. {question: problem, answer: solution}.',
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
  hubTaskSchema,
  jsonlTaskSchema,
]);
export type TaskConfig = z.infer<typeof taskConfigSchema>;
export type ArithmeticTask = z.infer<typeof arithmeticTaskSchema>;
export type HubTask = z.infer<typeof hubTaskSchema>;
export type JsonlTask = z.infer<typeof jsonlTaskSchema>;
/** A task from a dataset of the hub that is named here. */
export type DatasetTask = Extract<TaskConfig, { kind: keyof typeof hubDatasets }>;
/** A set of questions that must not be trained on. */
export type OtherSet = NonNullable<JsonlTask['decontaminate']>[number];

/** Where a task's questions come from: a word for people, the dataset of the hub whose licence counts, and whether they are sums, as the embedded model can answer. */
type Origin = { readonly name: string; readonly dataset: string | null; readonly sums: boolean };

export function originOf(task: TaskConfig): Origin {
  switch (task.kind) {
    case 'arithmetic':
      return { name: task.kind, dataset: null, sums: true };
    case 'jsonl':
      return { name: basename(task.train_file), dataset: null, sums: false };
    case 'hub':
      return { name: task.dataset, dataset: task.dataset, sums: false };
    default:
      return { name: task.kind, dataset: hubDatasets[task.kind].name, sums: false };
  }
}
