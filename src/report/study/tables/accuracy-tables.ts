import { methods } from '../../../algorithm/methods/methods.ts';
import { type Cell, figure, type Table } from '../../tables/table.ts';
import type { Row, StudyAnalysis } from '../analyse-study.ts';
import type { Comparison, Moment } from '../comparisons.ts';
import type { RowKey } from '../contender.ts';
import { publishedSource } from '../published.ts';
import { figures, named, names } from './columns.ts';

/** The paper's Table 1 and Table 2 with the study's experiments as columns, and a third for methods of its other tables. */
export function accuracyTables(analysis: StudyAnalysis): Table[] {
  const moments: Moment[] = analysis.columns.some(({ rows }) => rows.some(({ curve }) => curve.length > 2))
    ? ['first', 'last']
    : ['first'];
  return layouts.flatMap((layout) => {
    const keys = layout.rows.filter((key) => isIn(analysis, key));
    // The paper's method alone would be no comparison.
    if (keys.every((key) => key === 'multiagent-ft') && layout.name !== 'table-1') return [];
    if (keys.length === 0) return [];
    return moments.map((moment) => accuracyTable(analysis, keys, layout, moment));
  });
}

type Layout = { readonly name: string; readonly title: string; readonly rows: readonly RowKey[] };

/** As the paper prints them. */
const layouts: readonly Layout[] = [
  {
    name: 'table-1',
    title: 'Table 1: the method and its baselines',
    rows: ['base', 'majority', 'majority-at-equal-tokens', 'debate', 'star', 'majority-ft', 'multiagent-ft'],
  },
  {
    name: 'table-2',
    title: 'Table 2: ablations',
    rows: ['multiagent-ft', 'no-summary', 'no-critic', 'single-agent', 'single-agent-no-debate'],
  },
  {
    name: 'other-methods',
    title: 'Other methods',
    rows: ['multiagent-ft', 'cooperative', 'unique-id'],
  },
];

function accuracyTable(
  analysis: StudyAnalysis,
  keys: readonly RowKey[],
  { name, title }: Layout,
  moment: Moment,
): Table {
  const { columns } = analysis;
  const rows = keys.map((key) => [
    named(titleIn(analysis, key)),
    ...columns.map((column) => {
      const row = column.rows.find((each) => each.key === key);
      const reference = column.rows.find((each) => each.key === analysis.reference);
      if (row === undefined) return absent;
      // Of methods with other numbers of iterations, the last that both have is compared, which is not what stands here.
      const against = analysis.comparisons.find(
        (each) =>
          each.column === column.name &&
          each.other === key &&
          each.moment === moment &&
          each.iterations.other === placeOf(row, moment) &&
          reference !== undefined &&
          each.iterations.reference === placeOf(reference, moment),
      );
      return accuracyCell(row, moment, against);
    }),
  ]);
  const withPaper = rows.flat().some((cell) => cell.kind === 'figure' && cell.published !== null);
  return {
    name: moment === 'first' ? name : `${name}-last`,
    caption: `${title}, after ${moment === 'first' ? 'one iteration' : 'the last iteration'}`,
    columns: [
      names('method', 'Method'),
      ...columns.map((column) => figures(keyOf(column.name), column.name, '%')),
    ],
    rows,
    notes: notes(analysis, withPaper),
  };
}

const absent: Cell = { kind: 'absent' };

function accuracyCell(row: Row, moment: Moment, against: Comparison | undefined): Cell {
  // A method that was not trained has no figure after an iteration.
  const place = placeOf(row, moment);
  const point = row.curve[place];
  if (point === undefined || (row.learns && place === 0)) return absent;
  const beside = row.own?.agreements[place] ?? null;
  return figure(point.accuracy * 100, {
    error: point.standardError * 100,
    mark: against === undefined ? null : significanceMark(against.adjusted),
    published:
      beside === null ? null : { value: beside.published.accuracy * 100, error: null, agrees: beside.agrees },
  });
}

/** After which iteration a row is shown. */
function placeOf({ learns, curve }: Row, moment: Moment): number {
  if (!learns) return 0;
  return moment === 'first' ? 1 : curve.length - 1;
}

/** By Holm's adjusted p-value; null where nothing was shown. */
function significanceMark(adjusted: number): string | null {
  if (adjusted < 0.001) return '***';
  if (adjusted < 0.01) return '**';
  return adjusted < 0.05 ? '*' : null;
}

function notes(analysis: StudyAnalysis, withPaper: boolean): string[] {
  const units = analysis.columns.some(({ rows }) => rows.some(({ seeds }) => seeds.length > 1))
    ? ' over held-out questions, those of all seeds together'
    : ' over held-out questions';
  const learning = analysis.columns.some(({ rows }) => rows.some(({ learns }) => learns));
  return [
    `Accuracy ± one standard error${units}.${learning ? ' What learns nothing is the base model, before any iteration.' : ''}`,
    ...(analysis.comparisons.length === 0
      ? []
      : [
          `Marks: differs from ${referenceTitle(analysis)} on the same questions (McNemar’s exact test, Holm’s correction over all methods and columns): * p < 0.05, ** p < 0.01, *** p < 0.001.`,
        ]),
    ...(withPaper
      ? [
          `Paper: ${publishedSource} ✓ and ✗ say whether ours agrees with it: the difference is at most 1.96 times its standard error, the two being independent, and the paper’s error binomial.`,
        ]
      : []),
  ];
}

function isIn({ columns, missing }: StudyAnalysis, key: RowKey): boolean {
  return (
    columns.some(({ rows }) => rows.some((row) => row.key === key)) ||
    missing.some(({ method }) => method === key)
  );
}

/** As its columns call it; where they count other votes, without their number. */
function titleIn({ columns }: StudyAnalysis, key: RowKey): string {
  const titles = new Set(
    columns.flatMap(({ rows }) => rows.filter((row) => row.key === key).map(({ title }) => title)),
  );
  const [title] = titles;
  if (key === 'majority-at-equal-tokens')
    return titles.size === 1 && title !== undefined ? title : 'Majority at equal tokens';
  return title ?? methods[key].title;
}

function referenceTitle(analysis: StudyAnalysis): string {
  return titleIn(analysis, analysis.reference);
}

/** In CSV. */
function keyOf(column: string): string {
  return column.toLowerCase().replace(/[^a-z0-9]/g, '_');
}
