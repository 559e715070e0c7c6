import type { ReadTask } from '../config/task-config.ts';
import { datasetSplits } from './dataset-splits.ts';
import { jsonlSplits } from './jsonl-splits.ts';
import type { Problem } from './problem.ts';
import { requireEnough } from './require-enough.ts';
import type { Splits } from './splits.ts';

/**
 * Reads the questions of a task.
 *
 * @param kept the held-out questions of a series, which stay although the files may have changed; null in its first night and
 *   without a series
 * @throws InvalidTaskFile when a file is missing, empty or has bad rows, or the two files have questions in common
 * @throws UnreadableGoldAnswers
 * @throws DatasetNotReachable
 * @throws InvalidConfig when there are fewer questions than asked for
 */
export async function readSplits(
  task: ReadTask,
  {
    seed,
    kept,
    signal,
  }: {
    readonly seed: number;
    readonly kept: readonly Problem[] | null;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Splits> {
  const splits =
    task.kind === 'jsonl'
      ? await jsonlSplits(task, seed, kept, signal)
      : await datasetSplits(task, kept, signal);
  requireEnough('task.train_size', task.train_size, splits.training, splits.from.training);
  if (kept === null) requireEnough('task.test_size', task.test_size, splits.heldOut, splits.from.heldOut);
  return splits;
}
