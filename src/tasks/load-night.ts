import type { HeldOutQuestion } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { ReadTask } from '../config/task-config.ts';
import { arithmeticPool } from './arithmetic.ts';
import { drawn, inDrawnOrder } from './draw-problems.ts';
import { type Asked, freshQuestions } from './fresh-questions.ts';
import { type TaskData, withIds } from './load-task.ts';
import type { Problem } from './problem.ts';
import type { QuestionPool } from './question-pool.ts';
import { readSplits } from './read-splits.ts';

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
