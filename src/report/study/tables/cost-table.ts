import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading } from './columns.ts';

/** What each method took, and what it brought for that. */
export function costTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const rows = allRows(analysis).flatMap(({ column, row: { title, curve, own } }) =>
    own === null
      ? []
      : [
          [
            ...cells(column.name, title),
            figure((curve.at(-1)?.accuracy ?? NaN) * 100),
            figure(own.cost.tokensIn),
            figure(own.cost.tokensOut),
            figure(own.cost.tokensTrained),
            figure(own.cost.tokens),
            figure(own.cost.pointsPerMillionTokens ?? NaN),
            figure(own.cost.deviceSeconds),
            figure(own.cost.wallSeconds),
          ],
        ],
  );
  if (rows.length === 0) return [];
  return [
    {
      name: 'cost',
      caption: 'Cost, the mean of one seed',
      columns: [
        ...columns,
        figures('accuracy', 'At the end', '%'),
        figures('tokens_in', 'Read', 'tokens', 0),
        figures('tokens_out', 'Written', 'tokens', 0),
        figures('tokens_trained', 'Trained on', 'tokens', 0),
        figures('tokens', 'In all', 'tokens', 0),
        figures('points_per_million_tokens', 'Gain', 'points a million', 2),
        figures('device_seconds', 'Device', 's', 0),
        figures('wall_seconds', 'Time', 's', 0),
      ],
      rows,
      notes: [
        'Training debates, fine-tunes and evaluations. In all: without the base model’s own evaluation where a method learns. Gain: percentage points over one answer of the base model, for each million tokens. A method that answers once is measured with the answers of all agents; one of them counts. Answers that experiments share are counted for each, though they were asked for once; times are as they were, and shorter for that. Device: the phases of debates, evaluations and fine-tunes; on one GPU these are its GPU-seconds, on several they are to be multiplied.',
      ],
    },
  ];
}
