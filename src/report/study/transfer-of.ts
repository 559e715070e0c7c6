import { type Accuracy, accuracy } from '../../algorithm/measures/answers.ts';
import { compare, type PairedDifference } from './compare.ts';
import { pooled } from './contender.ts';
import type { MeasuredCell } from './measure-cell.ts';
import type { Scores } from './score.ts';

/** Zero-shot transfer: a method that learnt on its column's task, on the questions of another. */
export type Transfer = {
  readonly task: string;
  readonly before: Accuracy;
  readonly after: Accuracy;
  readonly units: number;
  /** After the last iteration less before; null for a method that learns nothing. */
  readonly change: PairedDifference | null;
};

export function transferOf(column: string, cells: readonly MeasuredCell[], learns: boolean): Transfer[] {
  const tasks = new Set(cells.flatMap(({ transfer }) => transfer.map(({ task }) => task)));
  return [...tasks].map((task) => {
    const own = cells.flatMap(({ transfer }) => transfer.filter((each) => each.task === task));
    const before = pooled(own.map((each) => each.before));
    const after = pooled(own.map((each) => each.after));
    const purpose = [column, 'transfer', cells[0]?.method, task].join(' ');
    return {
      task,
      before: accuracyOf(before),
      after: accuracyOf(after),
      units: after.size,
      change: learns ? compare(after, before, purpose) : null,
    };
  });
}

function accuracyOf(scores: Scores): Accuracy {
  return accuracy([...scores.values()].map(({ score }) => score));
}
