import type { GoldLabel, HeldOutQuestion, Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { arithmetic } from './arithmetic.ts';
import { jsonl } from './jsonl.ts';

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
  const { train, heldOut } = task.kind === 'arithmetic' ? arithmetic(task, seed) : await jsonl(task, seed);
  return {
    train: train.map(({ text }, index) => ({ id: idOf('train', index), text })),
    trainLabels: train.map(({ answer }, index) => ({ questionId: idOf('train', index), answer })),
    heldOut: heldOut.map(({ text, answer }, index) => ({ id: idOf('heldout', index), text, answer })),
  };
}

function idOf(set: 'train' | 'heldout', index: number): string {
  return `${set}-${String(index).padStart(5, '0')}`;
}
