import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names, probability, percent } from './columns.ts';

/** What summaries did to the answers of debates. */
export function summaryTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.summaries ?? []).map(({ iteration, helped, harmed, net, versusWithout: versus }) => [
      ...cells(column.name, row.title),
      named(iteration === 0 ? 'base' : String(iteration)),
      percent(helped),
      percent(harmed),
      percent(net),
      ...(versus === null
        ? [absent, absent, absent, absent]
        : [
            figure(versus.difference * 100),
            figure(versus.low * 100),
            figure(versus.high * 100),
            probability(versus.pValue),
          ]),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'summaries',
      caption: 'Answers after a summary',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        figures('helped', 'Helped', '%'),
        figures('harmed', 'Harmed', '%'),
        figures('net', 'Net', 'points'),
        figures('with_less_without', 'Difference', 'points'),
        figures('low', 'From', 'points'),
        figures('high', 'To', 'points'),
        names('p', 'p'),
      ],
      rows,
      notes: [
        'Of the answers given after a summary was shown: those that were wrong before and right after, and the reverse, ± one standard error over questions. That does not say that the summary did it. The difference does, for the base model: the accuracy of the debates with summaries less that of the same method without; later the two have also learnt from different debates. From and to: its paired 95 % bootstrap interval. p: McNemar’s exact test, not corrected.',
      ],
    },
  ];
}

const absent = { kind: 'absent' } as const;
