import type { Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names, percent } from './columns.ts';

/** How far the agents agree on held-out questions, and what a better vote could still gain. */
export function consensusTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.consensus ?? []).map((each) => [
      ...cells(column.name, row.title),
      named(each.iteration === 0 ? 'base' : String(each.iteration)),
      percent(each.consensusShare),
      percent(each.unanimous),
      percent(each.majAtN),
      percent(each.passAtN),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'consensus',
      caption: 'Agreement of the agents on held-out questions',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        figures('consensus_share', 'Agree with the majority', '%'),
        figures('unanimous', 'Unanimous', '%'),
        figures('maj_at_n', 'maj@N', '%'),
        figures('pass_at_n', 'pass@N', '%'),
      ],
      rows,
      notes: [
        'Of last answers: the share that agrees with their majority, and the questions where all do. Of the N first answers: the questions that their majority gets right, and those that any of them does.',
      ],
    },
  ];
}
