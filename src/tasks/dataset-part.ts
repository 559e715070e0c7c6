import { datasets, type Dataset } from '../config/datasets.ts';
import type { DatasetTask } from '../config/task-config.ts';
import { gsm8kRows } from './gsm8k-rows.ts';
import { math500Rows, mathRows } from './math-rows.ts';
import { mmluRows } from './mmlu-rows.ts';
import type { RowShape } from './row-shape.ts';

/** A split of a dataset: where it is and what its rows are. */
export type DatasetPart = {
  readonly dataset: Dataset;
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
export type HeldOutSettings = Pick<DatasetTask, 'kind' | 'revision' | 'dataset_path'> & {
  readonly levels?: readonly number[] | undefined;
};

/** The part of a task that measures. */
export function heldOutPart({ kind, levels, revision, dataset_path }: HeldOutSettings): DatasetPart {
  return {
    dataset: datasets[kind],
    split: 'test',
    levels,
    shape: shapeOf[kind](levels),
    revision,
    folder: dataset_path,
    setting: 'task.dataset_path',
  };
}

/** The part of a task that is trained on. */
export function trainingPart(task: DatasetTask): DatasetPart {
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
export function nameOf({ dataset, split, levels, folder }: DatasetPart): string {
  const which = [
    split,
    ...(levels === undefined ? [] : [`levels ${levels.join(', ')}`]),
    ...(folder === undefined ? [] : [`from ${folder}`]),
  ];
  return `${dataset.name} (${which.join(', ')})`;
}
