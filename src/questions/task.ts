import type { GoldLabel, HeldOutQuestion, Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import type { ReadTask } from '../config/tasks.ts';
import { arithmetic, arithmeticPool } from './arithmetic.ts';
import { heldOutPart, nameOf, readPart } from './hub.ts';
import { readSplits } from './own-files.ts';
import { byText, type LeftOut, type Problem, type Problems, type QuestionPool } from './problem.ts';
import { type Asked, drawn, freshQuestions, inDrawnOrder, requireEnough } from './select.ts';

/** The questions of an experiment. The training ones have no answers: those are apart, for `label_source: gold` alone. */
export type TaskData = {
  readonly train: readonly Question[];
  readonly trainLabels: readonly GoldLabel[];
  readonly heldOut: readonly HeldOutQuestion[];
  /** What the task has and the experiment must not ask, to be told. */
  readonly leftOut: readonly LeftOut[];
};

/**
 * The questions that a config asks for, always the same ones for the same config, files and dataset revisions. Ids are
 * `train-00017` and `heldout-00003`.
 *
 * @throws InvalidConfig when there are fewer questions than asked for
 * @throws InvalidTaskFile when a file is missing, empty or has bad rows, or training and held-out files have questions in common
 * @throws UnreadableGoldAnswers when the grader cannot read some gold answers
 * @throws DatasetNotReachable when a dataset is neither in the cache nor can it be had from the hub
 */
export async function loadTask(
  { task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>,
  signal?: AbortSignal,
): Promise<TaskData> {
  return withIds(task.kind === 'arithmetic' ? arithmetic(task, seed) : await read(task, seed, signal), 0);
}

async function read(task: ReadTask, seed: number, signal?: AbortSignal): Promise<Problems> {
  const { training, heldOut, leftOut } = await readSplits(task, { seed, kept: null, signal });
  return {
    train: drawn(training, task.train_size, { seed, purpose: `${task.kind}-train` }),
    heldOut: drawn(heldOut, task.test_size, { seed, purpose: `${task.kind}-heldout` }),
    leftOut,
  };
}

/** Gives the questions their ids. @param firstTrain the number of the first training question */
export function withIds({ train, heldOut, leftOut }: Problems, firstTrain: number): TaskData {
  return {
    train: train.map(({ text }, index) => ({ id: idOf('train', firstTrain + index), text })),
    trainLabels: train.map(({ answer }, index) => ({
      questionId: idOf('train', firstTrain + index),
      answer,
    })),
    heldOut: heldOutWithIds(heldOut),
    leftOut,
  };
}

/** Gives held-out questions their ids. */
export function heldOutWithIds(problems: readonly Problem[]): HeldOutQuestion[] {
  return problems.map(({ text, answer }, index) => ({ id: idOf('heldout', index), text, answer }));
}

function idOf(set: 'train' | 'heldout', index: number): string {
  return `${set}-${String(index).padStart(5, '0')}`;
}

/**
 * The held-out questions of a task alone, for agents that were trained on another one (zero-shot): the very ones that an experiment
 * on this task with the same seed measures with. Of a dataset nothing that is trained on is loaded.
 *
 * @throws as `loadTask` does
 */
export async function loadHeldOut(
  { task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>,
  signal?: AbortSignal,
): Promise<readonly HeldOutQuestion[]> {
  if (task.kind === 'arithmetic') return heldOutWithIds(arithmeticPool(task, seed).heldOut);
  // Which questions of one's own files are held out depends on those that are trained on.
  if (task.kind === 'jsonl') return (await loadTask({ task, seed }, signal)).heldOut;
  const part = heldOutPart(task);
  const questions = byText((await readPart(part, task.skip_unreadable ?? false, signal)).problems);
  requireEnough('task.test_size', task.test_size, questions, nameOf(part));
  return heldOutWithIds(drawn(questions, task.test_size, { seed, purpose: `${task.kind}-heldout` }));
}

/** What a series has asked so far, and what it measures with; null before its first night. */
export type Before = {
  readonly asked: readonly Asked[];
  /** How many training questions the nights before have had: the number of the next one. */
  readonly position: number;
  readonly heldOut: readonly HeldOutQuestion[];
};

/**
 * The questions of one night of a series: training questions that no night before has asked, until all were, and the series' own
 * held-out ones. Ids of training questions go on from night to night, because what is drawn for a question depends on its id.
 *
 * @returns the questions, and what to remember as asked
 * @throws as `loadTask` does
 */
export async function loadNight(
  { task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>,
  before: Before | null,
  signal?: AbortSignal,
): Promise<TaskData & { readonly asked: readonly Asked[] }> {
  const pool =
    task.kind === 'arithmetic'
      ? arithmeticPool(task, seed)
      : await readPool(task, seed, before?.heldOut ?? null, signal);
  const { problems, asked } = freshQuestions(pool, before?.asked ?? [], task.train_size ?? pool.size);
  const { heldOut, leftOut } = pool;
  return { ...withIds({ train: problems, heldOut, leftOut }, before?.position ?? 0), asked };
}

/** @param kept the held-out questions of the series, which stay although the files may have changed; null in its first night */
async function readPool(
  task: ReadTask,
  seed: number,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<QuestionPool> {
  const { training, heldOut, leftOut } = await readSplits(task, { seed, kept, signal });
  return {
    heldOut: kept ?? drawn(heldOut, task.test_size, { seed, purpose: `${task.kind}-heldout` }),
    size: training.size,
    inOrder: (cycle) => inDrawnOrder(training, { seed, purpose: `${task.kind}-train ${cycle}` }),
    leftOut,
  };
}
