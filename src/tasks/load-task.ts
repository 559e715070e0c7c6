import type { GoldLabel, HeldOutQuestion, Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { arithmetic } from './arithmetic.ts';
import { jsonl } from './jsonl.ts';
import type { Problems } from './problem.ts';

/** The questions of an experiment. The training ones have no answers: those are apart, for `label_source: gold` alone. */
export type TaskData = {
  readonly train: readonly Question[];
  readonly trainLabels: readonly GoldLabel[];
  readonly heldOut: readonly HeldOutQuestion[];
};

/**
 * The questions that a config asks for, always the same ones for the same config and files. Ids are `train-00017` and
 * `heldout-00003`.
 *
 * @throws InvalidConfig when there are fewer questions than asked for
 * @throws InvalidTaskFile when a file is missing, empty or has bad lines
 */
export async function loadTask({ task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>): Promise<TaskData> {
  return withIds(task.kind === 'arithmetic' ? arithmetic(task, seed) : await jsonl(task, seed), 0);
}

/** Gives the questions their ids. @param firstTrain the number of the first training question */
export function withIds({ train, heldOut }: Problems, firstTrain: number): TaskData {
  return {
    train: train.map(({ text }, index) => ({ id: idOf('train', firstTrain + index), text })),
    trainLabels: train.map(({ answer }, index) => ({
      questionId: idOf('train', firstTrain + index),
      answer,
    })),
    heldOut: heldOut.map(({ text, answer }, index) => ({ id: idOf('heldout', index), text, answer })),
  };
}

function idOf(set: 'train' | 'heldout', index: number): string {
  return `${set}-${String(index).padStart(5, '0')}`;
}
