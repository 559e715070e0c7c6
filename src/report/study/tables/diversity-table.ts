import type { Ratio } from '../../../algorithm/measures/tests.ts';
import { type Cell, figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names } from './columns.ts';

/** How diverse the agents' first answers are. None where nothing was measured. */
export function diversityTable(analysis: StudyAnalysis): Table[] {
  const { columns, cells } = leading(analysis);
  const measured = allRows(analysis).flatMap(({ column, row }) =>
    (row.own?.diversity.rows ?? []).map((each) => ({ column, row, ...each })),
  );
  if (measured.length === 0) return [];
  const encoders = [...new Set(measured.map(({ encoder }) => encoder))];
  return [
    {
      name: 'diversity',
      caption: 'Diversity of the agents’ first answers',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        figures('dissimilarity', 'Embedding dissimilarity', '0 to 2', 3),
        figures('nll_of_others', 'NLL of others', 'nats a token', 3),
        figures('kl_between_agents', 'KL between agents', 'nats a token', 3),
        figures('kl_from_base', 'KL from the base', 'nats a token', 3),
        figures('distinct_answers', 'Distinct answers', 'a question', 2),
      ],
      rows: measured.map(({ column, row, ...each }) => [
        ...cells(column.name, row.title),
        named(each.iteration === 0 ? 'base' : String(each.iteration)),
        ratio(each.dissimilarity),
        ratio(each.nllOfOthers),
        ratio(each.betweenAgents),
        ratio(each.fromBase),
        ratio(each.distinctAnswers),
      ]),
      notes: [
        `Means over questions ± one standard error. Texts were made into vectors by ${encoders.join(', ')}.`,
      ],
    },
  ];
}

function ratio(value: Ratio | null): Cell {
  return value === null ? { kind: 'absent' } : figure(value.value, { error: value.standardError });
}
