import type { Transfer } from '../charts/transfer-chart.ts';
import type { StudyAnalysis } from './analyse-study.ts';

/**
 * The matrix of the reference method: a row for each experiment of the study, a column for its own held-out questions and for each other
 * task. With one experiment its base model has a row too. None when no experiment has other tasks.
 */
export function transfers({ columns, reference }: StudyAnalysis): Transfer[] {
  const trained = columns.flatMap(({ name, rows }) => {
    const row = rows.find(({ key }) => key === reference);
    const [base, last] = [row?.curve[0], row?.curve.at(-1)];
    if (row?.own === null || row === undefined || base === undefined || last === undefined) return [];
    return [{ name, base: base.accuracy, last: last.accuracy, tasks: row.own.transfer, learns: row.learns }];
  });
  if (trained.every(({ tasks, learns }) => tasks.length === 0 || !learns)) return [];
  return trained.flatMap(({ name, base, last, tasks }) => [
    ...(trained.length === 1
      ? [
          { trained: 'nothing', evaluated: name, accuracy: base, gain: null },
          ...tasks.map(({ task, before }) => ({
            trained: 'nothing',
            evaluated: task,
            accuracy: before.accuracy,
            gain: null,
          })),
        ]
      : []),
    { trained: name, evaluated: name, accuracy: last, gain: last - base },
    ...tasks.map(({ task, after, change }) => ({
      trained: name,
      evaluated: task,
      accuracy: after.accuracy,
      gain: change?.difference ?? null,
    })),
  ]);
}
