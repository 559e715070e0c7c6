import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names } from './columns.ts';

/** What the training questions' votes were like, and how much each model learnt from. */
export function datasetTables(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis);
  const votes = rows.flatMap(({ column, row }) =>
    (row.own?.votes ?? []).map((each) => [
      ...cells(column.name, row.title),
      figure(each.iteration),
      figure(each.questions),
      figure(each.unanimous * 100),
      figure(each.ties * 100),
      figure(each.withoutLabel * 100),
    ]),
  );
  const datasets = rows.flatMap(({ column, row }) =>
    (row.own?.datasets ?? []).map((each) => [
      ...cells(column.name, row.title),
      figure(each.iteration),
      named(each.role),
      figure(each.datasets),
      figure(each.rows),
      figure(each.fewest),
    ]),
  );
  const tables: Table[] = [
    {
      name: 'datasets',
      caption: 'Dataset sizes',
      columns: [
        ...columns,
        figures('iteration', 'Iteration', 'of them', 0),
        names('role', 'Model'),
        figures('datasets', 'Datasets', 'a seed', 0),
        figures('rows', 'Mean size', 'rows'),
        figures('fewest', 'Smallest', 'rows', 0),
      ],
      rows: datasets,
      notes: [],
    },
    {
      name: 'votes',
      caption: 'Votes on the training questions',
      columns: [
        ...columns,
        figures('iteration', 'Iteration', 'of them', 0),
        figures('questions', 'Voted on', 'questions', 0),
        figures('unanimous', 'Unanimous', '%'),
        figures('ties', 'Ties, drawn', '%'),
        figures('without_label', 'No label', '%'),
      ],
      rows: votes,
      notes: [],
    },
  ];
  return tables.filter((table) => table.rows.length > 0);
}
