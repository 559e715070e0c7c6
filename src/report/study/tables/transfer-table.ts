import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names } from './columns.ts';

/** Zero-shot transfer: what learning on one task does to another. */
export function transferTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.transfer ?? []).map(({ task, before, after, change }) => [
      ...cells(column.name, row.title),
      named(task),
      figure(before.accuracy * 100, { error: before.standardError * 100 }),
      row.learns ? figure(after.accuracy * 100, { error: after.standardError * 100 }) : figure(NaN),
      figure((change?.difference ?? NaN) * 100),
      figure((change?.low ?? NaN) * 100),
      figure((change?.high ?? NaN) * 100),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'transfer',
      caption: 'Zero-shot transfer to other tasks',
      columns: [
        ...columns,
        names('task', 'Evaluated on'),
        figures('before', 'Base', '%'),
        figures('after', 'Last iteration', '%'),
        figures('change', 'Change', 'points'),
        figures('low', 'From', 'points'),
        figures('high', 'To', 'points'),
      ],
      rows,
      notes: [
        'Nothing was learnt from these tasks. Change: on the same questions, with its paired 95 % bootstrap interval.',
      ],
    },
  ];
}
