/** The port to where questions come from. A task knows its questions and what an answer to them is; nothing outside this folder looks at its kind. */
import type { AnswerRules } from '../algorithm/answer.ts';
import { type GoldLabel, goldOf, type HeldOutQuestion, type Question } from '../algorithm/question.ts';
import type { LeftOut, Problem, QuestionPool } from './problem.ts';
import { type Asked, freshQuestions } from './select.ts';

/** Questions with gold answers, and what an answer to them is. test/questions/task.contract.ts runs for every kind. */
export interface Task {
  /**
   * All questions of the task; always the same ones for the same settings, seed, files and dataset revisions.
   *
   * @param kept the held-out questions of a series, which stay although the files may have changed; null in its first night and
   *   without a series
   * @throws InvalidConfig when there are fewer questions than asked for
   * @throws InvalidTaskFile when a file is missing, empty or has bad rows, or training and held-out files have questions in common
   * @throws UnreadableGoldAnswers when the grader cannot read some gold answers
   * @throws DatasetNotReachable when a dataset is neither in the cache nor on a hub that answers
   */
  pool(seed: number, kept: readonly Problem[] | null, signal?: AbortSignal): Promise<QuestionPool>;
  /** The questions that `pool` holds out, without loading what is trained on where that can be avoided. Throws as `pool` does. */
  heldOut(seed: number, signal?: AbortSignal): Promise<readonly Problem[]>;
  /** How an answer is read from a response, and when answers are equal or right. */
  readonly answers: AnswerRules;
}

/** The questions of an experiment. The training ones have no answers: those are apart, for `label_source: gold` alone. */
export type TaskData = {
  readonly train: readonly Question[];
  readonly trainLabels: readonly GoldLabel[];
  readonly heldOut: readonly HeldOutQuestion[];
  /** The questions of the task that are not asked, for the report. */
  readonly leftOut: readonly LeftOut[];
};

/**
 * The questions of an experiment. Ids are `train-00017` and `heldout-00003`.
 *
 * @throws as `Task.pool` does
 */
export async function loadQuestions(task: Task, seed: number, signal?: AbortSignal): Promise<TaskData> {
  const pool = await task.pool(seed, null, signal);
  return withIds(pool, pool.training(), 0);
}

/**
 * The held-out questions alone, for agents that were trained on another task (zero-shot): the same ones that an experiment on this task
 * with this seed measures with.
 *
 * @throws as `Task.pool` does
 */
export async function loadHeldOut(
  task: Task,
  seed: number,
  signal?: AbortSignal,
): Promise<readonly HeldOutQuestion[]> {
  return heldOutWithIds(await task.heldOut(seed, signal));
}

/** What a series has asked so far, and what it measures with; null before its first night. */
export type Before = {
  readonly asked: readonly Asked[];
  /** How many training questions the earlier nights have had: the number of the next one. */
  readonly position: number;
  readonly heldOut: readonly HeldOutQuestion[];
};

/**
 * The questions of one night of a series: training questions that no earlier night has asked, until all were, and the series' own
 * held-out ones. Ids of training questions continue from night to night, because what is drawn for a question depends on its id.
 *
 * @returns the questions, and what to remember as asked
 * @throws as `Task.pool` does
 */
export async function loadNight(
  task: Task,
  seed: number,
  before: Before | null,
  signal?: AbortSignal,
): Promise<TaskData & { readonly asked: readonly Asked[] }> {
  const pool = await task.pool(seed, before?.heldOut ?? null, signal);
  const { problems, asked } = freshQuestions(pool, before?.asked ?? [], pool.trainSize);
  return { ...withIds(pool, problems, before?.position ?? 0), asked };
}

/** Gives the questions their ids. @param firstTrain the number of the first training question */
function withIds(
  { heldOut, leftOut }: Pick<QuestionPool, 'heldOut' | 'leftOut'>,
  train: readonly Problem[],
  firstTrain: number,
): TaskData {
  return {
    train: train.map(({ text }, index) => ({ id: idOf('train', firstTrain + index), text })),
    trainLabels: train.map((problem, index) => ({
      questionId: idOf('train', firstTrain + index),
      ...goldOf(problem),
    })),
    heldOut: heldOutWithIds(heldOut),
    leftOut,
  };
}

function heldOutWithIds(problems: readonly Problem[]): HeldOutQuestion[] {
  return problems.map((problem, index) => ({
    id: idOf('heldout', index),
    text: problem.text,
    ...goldOf(problem),
  }));
}

function idOf(set: 'train' | 'heldout', index: number): string {
  return `${set}-${String(index).padStart(5, '0')}`;
}
