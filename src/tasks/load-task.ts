import type { GoldLabel, HeldOutQuestion, Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import type { ReadTask } from '../config/task-config.ts';
import { arithmetic } from './arithmetic.ts';
import { drawn } from './draw-problems.ts';
import type { LeftOut, Problem, Problems } from './problem.ts';
import { readSplits } from './read-splits.ts';

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
