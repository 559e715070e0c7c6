import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { range } from '../contender.ts';
import { allRows, figures, leading, named, names, probability } from './columns.ts';

/** Every debate beside the majority of as many first answers as cost the same tokens. */
export function equalTokensTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.besideDebate ?? []).map(({ iteration, votes, debate, majority, difference }) => [
      ...cells(column.name, row.title),
      named(iteration === 0 ? 'base' : String(iteration)),
      named(range(votes)),
      figure(debate * 100),
      figure(majority * 100),
      figure(difference.difference * 100),
      figure(difference.low * 100),
      figure(difference.high * 100),
      probability(difference.pValue),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'equal-tokens',
      caption: 'Debate and majority at equal tokens',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        names('answers', 'Answers'),
        figures('debate', 'Debate', '%'),
        figures('majority', 'Majority', '%'),
        figures('difference', 'Difference', 'points'),
        figures('low', 'From', 'points'),
        figures('high', 'To', 'points'),
        names('p', 'p'),
      ],
      rows,
      notes: [
        'Majority: the same agents vote with as many first answers as cost the tokens of their debate, read and written: what a debate has to beat to be worth its price. From and to: the difference’s paired 95 % bootstrap interval. p: McNemar’s exact test, not corrected.',
      ],
    },
  ];
}
