import type { HeldOutQuestion } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { arithmeticPool } from './arithmetic.ts';
import { type Asked, freshQuestions } from './fresh-questions.ts';
import { jsonlPool } from './jsonl.ts';
import { type TaskData, withIds } from './load-task.ts';

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
 * @throws InvalidConfig when there are fewer questions than asked for
 * @throws InvalidTaskFile when a file is missing, empty or has bad lines
 */
export async function loadNight(
  { task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>,
  before: Before | null,
): Promise<TaskData & { readonly asked: readonly Asked[] }> {
  const pool =
    task.kind === 'arithmetic'
      ? arithmeticPool(task, seed)
      : await jsonlPool(task, seed, before === null ? null : before.heldOut);
  const { problems, asked } = freshQuestions(pool, before?.asked ?? [], task.train_size ?? pool.size);
  return { ...withIds({ train: problems, heldOut: pool.heldOut }, before?.position ?? 0), asked };
}
