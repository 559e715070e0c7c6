import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names, percent } from './columns.ts';

/** What agents did with their answers from one round to the next. */
export function flipTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.flips ?? []).map((each) => [
      ...cells(column.name, row.title),
      named(each.iteration === 0 ? 'base' : String(each.iteration)),
      figure(each.round),
      percent(each.wrongToRight),
      percent(each.rightToWrong),
      percent(each.corrected),
      percent(each.spoilt),
      percent(each.conformed),
    ]),
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'flips',
      caption: 'Flips from round to round',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        figures('round', 'To', 'round', 0),
        figures('wrong_to_right', 'Wrong to right', '%'),
        figures('right_to_wrong', 'Right to wrong', '%'),
        figures('corrected', 'Of wrong ones, corrected', '%'),
        figures('spoilt', 'Of right ones, spoilt', '%'),
        figures('conformed', 'Of dissenters, conformed', '%'),
      ],
      rows,
      notes: [
        'Shares of the agents’ answers to held-out questions ± one standard error over questions. A dissenter’s answer stood against the majority of the other agents; it conformed when it went over to it.',
      ],
    },
  ];
}
