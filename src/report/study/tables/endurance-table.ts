import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names } from './columns.ts';

/** Whether gains last: the best iteration of each method that learns, and what became of it until the last one. */
export function enduranceTable(analysis: StudyAnalysis): Table[] {
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    row.endurance === null ? [] : [{ column, row, endurance: row.endurance }],
  );
  if (rows.every(({ endurance }) => endurance.change === null)) return [];
  const { columns, cells } = leading(analysis);
  return [
    {
      name: 'gains',
      caption: 'Do gains last?',
      columns: [
        ...columns,
        figures('best_iteration', 'Best', 'iteration', 0),
        figures('best', 'There', '%'),
        figures('first', 'First', '%'),
        figures('last', 'Last', '%'),
        figures('change', 'Change', 'points'),
        figures('low', 'From', 'points'),
        figures('high', 'To', 'points'),
        names('verdict', 'So it'),
      ],
      rows: rows.map(({ column, row: { title, curve }, endurance: { best, change, verdict } }) => [
        ...cells(column.name, title),
        figure(best),
        figure((curve[best]?.accuracy ?? NaN) * 100),
        figure((curve[1]?.accuracy ?? NaN) * 100),
        figure((curve.at(-1)?.accuracy ?? NaN) * 100),
        figure((change?.difference ?? NaN) * 100),
        figure((change?.low ?? NaN) * 100),
        figure((change?.high ?? NaN) * 100),
        named(verdict),
      ]),
      notes: [
        'First, last: after iteration 1 and after the last. Change: the one less the other on the same questions; from and to: its paired 95 % bootstrap interval; rose and fell where 0 is outside it. These are not corrected for their number. The best iteration is picked by hindsight, so its accuracy is somewhat too high.',
      ],
    },
  ];
}
