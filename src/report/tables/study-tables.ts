/** Which tables does a study's report have? */
import type { Contender, StudyAnalysis } from '../analyse/study.ts';
import { accuracyTables } from './accuracy-tables.ts';
import { nameColumn, share, shareCell } from './build.ts';
import { measureTables } from './measure-tables.ts';
import { absent, type Cell, type Column, name, type Table } from './table.ts';
import { type MethodName, methods } from '../../algorithm/methods.ts';
import {
  type ContenderComparison,
  type ContenderKey,
  type Moment,
  rowOf,
  withVotes,
} from '../analyse/contenders.ts';
import type { StudyCell } from '../../config/study.ts';
import { publishedSource } from '../analyse/paper.ts';

/** The tables by their names. */
const tables = { ...accuracyTables, ...measureTables };

/** Every table of a study that has rows, by section of the report. */
export function studyTables(analysis: StudyAnalysis) {
  const of = (...wanted: readonly (keyof typeof tables)[]): Table[] =>
    wanted.flatMap((each) => tables[each](each, analysis));
  return {
    accuracy: paperTables(analysis),
    comparisons: of('comparisons', 'variant-pairs'),
    iterations: of('iterations', 'seeds'),
    gains: of('gains'),
    equalTokens: of('first-vote', 'equal-tokens'),
    distilled: of('distilled'),
    diversity: of('diversity'),
    flips: of('flips', 'summaries', 'consensus', 'answers'),
    cost: of('cost'),
    datasets: of('datasets', 'votes', 'labels', 'calibration', 'purity', 'learnt'),
    transfer: of('transfer'),
  } satisfies Record<string, readonly Table[]>;
}
export type StudyTables = ReturnType<typeof studyTables>;

/** The paper's Table 1 and Table 2 with the study's settings as columns, and a third one for the methods of its other tables. */
function paperTables(analysis: StudyAnalysis): Table[] {
  const longer = analysis.settings.some(({ contenders }) => contenders.some(({ curve }) => curve.length > 2));
  const moments: Moment[] = longer ? ['first', 'last'] : ['first'];
  const variants = [...new Set(planned(analysis).flatMap(({ variant }) => variant ?? []))];
  const ofVariants = { name: 'variants', title: 'Variants', rows: [analysis.reference, ...variants] };
  return [...layouts, ...(variants.length === 0 ? [] : [ofVariants])].flatMap((layout) => {
    const keys = layout.rows.flatMap(withVotes).filter((key) => isIn(analysis, key));
    // The paper's method alone would be no comparison.
    const own = withVotes('multiagent-ft');
    if (keys.every((key) => own.includes(key)) && layout.name !== 'table-1') return [];
    if (keys.length === 0) return [];
    return moments.map((moment) => paperTable(analysis, keys, layout, moment));
  });
}

type Layout = { readonly name: string; readonly title: string; readonly rows: readonly ContenderKey[] };

/** The rows in the paper's order. */
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

function isMethod(key: ContenderKey): key is MethodName {
  return key in methods;
}

function paperTable(
  analysis: StudyAnalysis,
  keys: readonly ContenderKey[],
  layout: Layout,
  moment: Moment,
): Table {
  const { settings } = analysis;
  const rows = keys.map((key) => [
    name(titleIn(analysis, key)),
    ...settings.map((setting) => {
      const contender = setting.contenders.find((each) => each.key === key);
      const reference = setting.contenders.find((each) => each.key === analysis.reference);
      if (contender === undefined) return absent;
      // Methods with different numbers of iterations are compared after the last that both have, which is not always the one shown here.
      const against = analysis.comparisons.find(
        (each) =>
          each.setting === setting.name &&
          each.other === key &&
          each.moment === moment &&
          each.iterations.other === shownIteration(contender, moment) &&
          reference !== undefined &&
          each.iterations.reference === shownIteration(reference, moment),
      );
      return accuracyCell(contender, moment, against);
    }),
  ]);
  const withPaper = rows.flat().some((cell) => cell.kind === 'figure' && cell.published !== null);
  return {
    name: moment === 'first' ? layout.name : `${layout.name}-last`,
    caption: `${layout.title}, after ${moment === 'first' ? 'one iteration' : 'the last iteration'}`,
    columns: [nameColumn('method', 'Method'), ...settings.map((setting) => settingColumn(setting.name))],
    rows,
    notes: notes(analysis, withPaper),
  };
}

function settingColumn(setting: string): Column {
  return {
    key: setting.toLowerCase().replace(/[^a-z0-9]/g, '_'),
    title: setting,
    unit: '%',
    decimals: 1,
  };
}

function accuracyCell(contender: Contender, moment: Moment, against: ContenderComparison | undefined): Cell {
  const iteration = shownIteration(contender, moment);
  const point = contender.curve[iteration];
  // A method that was not trained has no figure after an iteration.
  if (point === undefined || (contender.learns && iteration === 0)) return absent;
  const beside = contender.own?.agreements[iteration] ?? null;
  return shareCell(share(point), {
    mark: against === undefined ? null : significanceMark(against.adjusted),
    published:
      beside === null ? null : { value: beside.published.accuracy * 100, error: null, agrees: beside.agrees },
  });
}

/** After which iteration a contender is shown. */
function shownIteration({ learns, curve }: Contender, moment: Moment): number {
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
  const contenders = analysis.settings.flatMap((setting) => setting.contenders);
  const units = contenders.some(({ seeds }) => seeds.length > 1)
    ? ' over held-out questions, those of all seeds together'
    : ' over held-out questions';
  const untrained = contenders.some(({ learns }) => learns)
    ? ' Methods that learn nothing are shown before any iteration.'
    : '';
  return [
    `Accuracy with its 95 % interval (Wilson’s)${units}.${untrained}`,
    ...(analysis.comparisons.length === 0
      ? []
      : [
          `Marks: differs from ${titleIn(analysis, analysis.reference)} on the same questions (exact sign-flip test, Holm’s correction over all methods and settings): * p < 0.05, ** p < 0.01, *** p < 0.001.`,
        ]),
    ...(withPaper
      ? [
          `Paper: ${publishedSource} ✓ and ✗ say whether ours agrees with it: the difference is at most 1.96 times its standard error, the two being independent, and the paper’s error binomial.`,
        ]
      : []),
  ];
}

function isIn({ settings, missing }: StudyAnalysis, key: ContenderKey): boolean {
  return (
    settings.some(({ contenders }) => contenders.some((each) => each.key === key)) ||
    missing.some((each) => rowOf(each) === key)
  );
}

/** All experiments of a study, also those that are missing. */
function planned({ settings, missing }: StudyAnalysis): readonly Pick<StudyCell, 'method' | 'variant'>[] {
  return [...settings.flatMap(({ experiments }) => experiments), ...missing];
}

/** The contender's title in all settings; without the number of votes where settings differ in it. */
function titleIn({ settings }: StudyAnalysis, key: ContenderKey): string {
  const titles = new Set(
    settings.flatMap(({ contenders }) =>
      contenders.filter((each) => each.key === key).map(({ title }) => title),
    ),
  );
  const [title] = titles;
  if (title === undefined) return isMethod(key) ? methods[key].title : key;
  return titles.size === 1 ? title : title.replace(/ \(of [^)]*\)$/, '');
}
