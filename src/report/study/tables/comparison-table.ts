import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { resamples } from '../compare.ts';
import { figures, leading, named, names, probability, titleOf } from './columns.ts';

/** All paired tests: the reference against each other method. */
export function comparisonTable(analysis: StudyAnalysis): Table[] {
  const { comparisons, reference } = analysis;
  if (comparisons.length === 0) return [];
  const { columns, cells } = leading(analysis);
  const title = titleOf(analysis, comparisons[0]?.column ?? '', reference);
  return [
    {
      name: 'comparisons',
      caption: `${title} against each other method, on the same questions`,
      columns: [
        ...columns,
        names('after', 'Iterations'),
        figures('difference', 'Difference', 'points'),
        figures('low', 'From', 'points'),
        figures('high', 'To', 'points'),
        figures('wins', 'Won', 'questions', 0),
        figures('losses', 'Lost', 'questions', 0),
        names('p', 'p'),
        names('p_holm', 'p by Holm'),
      ],
      rows: comparisons.map((each) => [
        ...cells(each.column, titleOf(analysis, each.column, each.other)),
        named(`${each.iterations.reference} against ${each.iterations.other}`),
        figure(each.difference * 100),
        figure(each.low * 100),
        figure(each.high * 100),
        figure(each.wins),
        figure(each.losses),
        probability(each.pValue),
        probability(each.adjusted),
      ]),
      notes: [
        `Difference: ${title} less the other, in percentage points; from and to: its paired 95 % bootstrap interval (${resamples} draws of questions). Won: questions that only ${title} has right. p: McNemar’s exact test, two-sided; Holm’s correction is over all tests after one iteration, and over all after the last.`,
        'Of a method that answers once, the difference is of the mean over its agents’ answers, and the test is of agent 1’s.',
      ],
    },
  ];
}
