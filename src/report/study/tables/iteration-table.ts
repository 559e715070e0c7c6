import { figure, type Table } from '../../tables/table.ts';
import type { StudyAnalysis } from '../analyse-study.ts';
import { allRows, figures, leading, named, names } from './columns.ts';

/** Accuracy of every method after every iteration. */
export function iterationTable(analysis: StudyAnalysis): Table[] {
  const rows = allRows(analysis);
  const most = Math.max(0, ...rows.map(({ row }) => row.curve.length));
  if (most === 0) return [];
  const { columns, cells } = leading(analysis);
  const iterations = Array.from({ length: most }, (_, iteration) => iteration);
  return [
    {
      name: 'iterations',
      caption: 'Accuracy over iterations',
      columns: [
        ...columns,
        ...iterations.map((each) => figures(`iteration_${each}`, each === 0 ? 'Base' : String(each), '%')),
      ],
      rows: rows.map(({ column, row: { title, curve } }) => [
        ...cells(column.name, title),
        ...iterations.map((each) => {
          const { accuracy = NaN, standardError = NaN } = curve[each] ?? {};
          return figure(accuracy * 100, { error: standardError * 100 });
        }),
      ]),
      notes: ['Accuracy ± one standard error. Base: the same way of answering before any fine-tuning.'],
    },
  ];
}

/** How far apart the seeds are: each one's accuracy after the last iteration. None for a study of one seed. */
export function seedTable(analysis: StudyAnalysis): Table[] {
  const rows = allRows(analysis).filter(({ row }) => row.seeds.length > 1);
  const seeds = [...new Set(rows.flatMap(({ row }) => row.seeds))];
  if (seeds.length < 2) return [];
  const { columns, cells } = leading(analysis);
  return [
    {
      name: 'seeds',
      caption: 'Accuracy by seed, after the last iteration',
      columns: [
        ...columns,
        names('iteration', 'Iteration'),
        ...seeds.map((seed) => figures(`seed_${seed}`, `Seed ${seed}`, '%')),
        figures('spread', 'Standard deviation', 'points'),
      ],
      rows: rows.map(({ column, row: { title, curve } }) => {
        const last = curve.at(-1);
        return [
          ...cells(column.name, title),
          named(last === undefined || last.iteration === 0 ? 'base' : String(last.iteration)),
          ...seeds.map((seed) =>
            figure((last?.bySeed.find((each) => each.seed === seed)?.accuracy ?? NaN) * 100),
          ),
          figure((last?.seedSpread ?? NaN) * 100),
        ];
      }),
      notes: [
        'A seed draws the questions, the answers and the training’s order. The standard deviation (over n − 1) holds all of that.',
      ],
    },
  ];
}
