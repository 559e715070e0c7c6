/** Tasks from datasets of the Hugging Face hub that Colloquy knows: their splits, and the training questions that other sets have too. */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { pathExists } from '../config/load.ts';
import { type HubDataset, hubDatasets } from '../config/names.ts';
import type { DatasetTask, OtherSet } from '../config/tasks.ts';
import { requireDataFolder } from './row-files.ts';
import { hubFile } from './dataset-files.ts';
import { InvalidTaskFile } from './errors.ts';
import {
  apartFrom,
  type ByText,
  byText,
  type LeftOut,
  type Problem,
  type Splits,
  type Task,
} from './task.ts';
import {
  filledText,
  gsm8kRows,
  math500Rows,
  mathRows,
  mmluRows,
  type ReadProblems,
  readProblems,
  rowOf,
  type RowShape,
} from './rows.ts';
import type { AnswerRules } from '../algorithm/answer.ts';
import { drawn, leftOut, poolOf, repeats, requireEnough } from './select.ts';

/** The task of a dataset of the hub. */
export function hubTask(config: DatasetTask, answers: AnswerRules): Task {
  return {
    pool: async (seed, kept, signal) => poolOf(config, await datasetSplits(config, kept, signal), seed, kept),
    // Only the split that measures is loaded.
    heldOut: async (seed, signal) => {
      const part = heldOutPart(config);
      const questions = byText((await readPart(part, config.skip_unreadable ?? false, signal)).problems);
      requireEnough('task.test_size', config.test_size, questions, nameOf(part));
      return drawn(questions, config.test_size, { seed, purpose: `${config.kind}-heldout` });
    },
    answers,
  };
}

/**
 * The questions of a task from a dataset of the hub. What is held out depends on its own split alone; training questions that
 * are anywhere in that split are left out, also where another seed would hold out others.
 *
 * @param kept the held-out questions of a series; null in its first night and without a series
 * @throws as `readPart` and `decontaminated` do
 */
async function datasetSplits(
  task: DatasetTask,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<Splits> {
  const skip = task.skip_unreadable ?? false;
  const parts = { training: trainingPart(task), heldOut: heldOutPart(task) };
  const heldOut = nameOf(parts.heldOut);
  const from = { training: nameOf(parts.training), heldOut, validation: heldOut };
  const train = await readPart(parts.training, skip, signal);
  const test = await readPart(parts.heldOut, skip, signal);
  const measuring = byText([...test.problems, ...(kept ?? [])]);
  const { apart, shared } = apartFrom(measuring, byText(train.problems));
  const { training, removed } = await decontaminated(apart, task.decontaminate, signal);
  return {
    training,
    heldOut: byText(kept ?? test.problems),
    validation: byText(test.problems),
    leftOut: [
      ...leftOut(`questions of ${from.training} whose gold answer the grader cannot read`, train.unreadable),
      ...leftOut(`questions of ${from.heldOut} whose gold answer the grader cannot read`, test.unreadable),
      ...repeats(from.training, train.problems),
      ...repeats(from.heldOut, test.problems),
      ...leftOut(`training questions that ${from.heldOut} has too`, shared),
      ...removed,
    ],
    from,
  };
}

/**
 * The training questions that none of the other sets has, by normalised text, and notes on the others. Nothing is held out
 * or kept by it: it only takes away what must not be trained on.
 *
 * @throws as `readPart` and `readProblems` do
 */
export async function decontaminated(
  training: ByText,
  others: readonly OtherSet[] = [],
  signal?: AbortSignal,
): Promise<{ readonly training: ByText; readonly removed: readonly LeftOut[] }> {
  let left = training;
  const removed: LeftOut[] = [];
  for (const other of others) {
    const { name, problems } = await questionsOf(other, signal);
    const { apart, shared } = apartFrom(byText(problems), left);
    left = apart;
    removed.push(...leftOut(`training questions that ${name} has too`, shared));
  }
  return { training: left, removed };
}

async function questionsOf(
  other: OtherSet,
  signal?: AbortSignal,
): Promise<{ readonly name: string; readonly problems: readonly Problem[] }> {
  if (typeof other === 'string') {
    const path = resolve(other);
    await requireDataFolder(path);
    return { name: path, problems: all(await readProblems(path, anyQuestion, true)) };
  }
  const { kind, revision = hubDatasets[kind].revision, dataset_path } = other;
  const part = {
    ...heldOutPart({ kind, revision, dataset_path }),
    setting: 'its dataset_path in task.decontaminate',
  };
  return { name: nameOf(part), problems: all(await readPart(part, true, signal)) };
}

/** Whether their gold answers can be read does not matter here. */
function all({ problems, unreadable }: ReadProblems): Problem[] {
  return [...problems, ...unreadable];
}

/** Rows with a question, under the name that most datasets or that MATH gives it. */
const anyQuestion: RowShape = {
  schema: z
    .union(
      [rowOf({ question: filledText }), rowOf({ problem: filledText })],
      'expected a question or a problem',
    )
    .transform((row) => ({ text: 'question' in row ? row.question : row.problem, answer: '' })),
  expected: 'an object {"question": "…"} or {"problem": "…"}',
};

/** A split of a dataset: where it is and what its rows are. */
type HubSplit = {
  readonly dataset: HubDataset;
  readonly split: string;
  /** Those of its rows that are asked, where they have levels. */
  readonly levels: readonly number[] | undefined;
  readonly shape: RowShape;
  readonly revision: string;
  /** A folder with a copy of the dataset; the hub when undefined. */
  readonly folder: string | undefined;
  /** The setting that names such a folder. */
  readonly setting: string;
};

/** What is held out. */
type HeldOutSettings = Pick<DatasetTask, 'kind' | 'revision' | 'dataset_path'> & {
  readonly levels?: readonly number[] | undefined;
};

/** The part of a task that measures. */
function heldOutPart({ kind, levels, revision, dataset_path }: HeldOutSettings): HubSplit {
  return {
    dataset: hubDatasets[kind],
    split: 'test',
    levels,
    shape: shapeOf[kind](levels),
    revision,
    folder: dataset_path,
    setting: 'task.dataset_path',
  };
}

/** The part of a task that is trained on. */
function trainingPart(task: DatasetTask): HubSplit {
  if (task.kind !== 'math-500') {
    // MMLU's auxiliary_train comes from other tests and names no subjects; this split is of the same kind as the test split.
    return { ...heldOutPart(task), split: task.kind === 'mmlu' ? 'validation' : 'train' };
  }
  const { levels, train_revision: revision, train_dataset_path: dataset_path } = task;
  const math = heldOutPart({ kind: 'math', levels, revision, dataset_path });
  return { ...math, split: 'train', setting: 'task.train_dataset_path' };
}

const shapeOf: Record<DatasetTask['kind'], (levels?: readonly number[]) => RowShape> = {
  gsm8k: () => gsm8kRows,
  math: mathRows,
  'math-500': math500Rows,
  mmlu: () => mmluRows,
};

/** What to call a part in messages, e.g. `EleutherAI/hendrycks_math (train, levels 1, 2, 3)`. */
function nameOf({ dataset, split, levels, folder }: HubSplit): string {
  const which = [
    split,
    ...(levels === undefined ? [] : [`levels ${levels.join(', ')}`]),
    ...(folder === undefined ? [] : [`from ${folder}`]),
  ];
  return `${dataset.name} (${which.join(', ')})`;
}

/**
 * The questions of a part of a dataset, from all its files.
 *
 * @throws as `datasetFiles` and `readProblems` do
 */
async function readPart(
  part: HubSplit,
  skipUnreadable: boolean,
  signal?: AbortSignal,
): Promise<ReadProblems> {
  const problems: Problem[] = [];
  const unreadable: Problem[] = [];
  for (const path of await datasetFiles(part, signal)) {
    const read = await readProblems(path, part.shape, skipUnreadable);
    // Not by spreading them into push: a file may have more questions than a call takes arguments.
    for (const problem of read.problems) problems.push(problem);
    for (const problem of read.unreadable) unreadable.push(problem);
  }
  return { problems, unreadable };
}

/**
 * The files of a split of a dataset: of the local copy, if one is named, or else of the hub.
 *
 * @returns absolute paths, one for each config
 * @throws InvalidTaskFile when the local copy has not all of them
 * @throws DatasetNotReachable
 */
async function datasetFiles(part: HubSplit, signal?: AbortSignal): Promise<string[]> {
  const { dataset, split, revision, folder, setting } = part;
  const paths = dataset.configs.map((config) =>
    dataset.file.replace('{config}', config).replace('{split}', split),
  );
  if (folder !== undefined) {
    const local = localFiles(part, resolve(folder), paths);
    await Promise.all(local.map(requireDataFolder));
    return local;
  }
  const files: string[] = [];
  for (const path of paths)
    files.push(await hubFile({ name: dataset.name, revision, setting }, path, signal));
  return files;
}

/** As the hub has them, or all configs in one file that is named after the split. */
function localFiles({ dataset, split, setting }: HubSplit, folder: string, paths: string[]): string[] {
  const [lacking] = paths.filter((path) => !pathExists(join(folder, path)));
  if (lacking === undefined) return paths.map((path) => join(folder, path));
  const whole = [`${split}.jsonl`, `${split}.parquet`];
  const [found] = whole.filter((name) => pathExists(join(folder, name)));
  if (found !== undefined) return [join(folder, found)];
  const looked = [lacking, ...whole.filter((name) => name !== lacking)].join(', nor ');
  const message = `${setting} names it as a copy of ${dataset.name}, but it has no ${looked}`;
  throw new InvalidTaskFile(folder, [{ line: 0, message }]);
}
