import { type Ratio, wilsonInterval } from '../../algorithm/measures/answers.ts';
import type { DifferenceInterval } from '../../algorithm/measures/tests.ts';
import { pValue } from '../../text/figures.ts';
import { type Contender, type StudyAnalysis, titleOf } from '../analyse/study.ts';
import type { MeasuredAccuracy } from '../analyse/contenders.ts';
import { absent, type Cell, type Column, type Figure, figure, name, type Table } from './table.ts';

/** A table of a study as data. It has a row for each item. */
export type TableSpec<Item> = {
  readonly caption: string | ((analysis: StudyAnalysis) => string);
  readonly columns: Columns<Item> | ((items: readonly Item[]) => Columns<Item>);
  readonly notes:
    | readonly string[]
    | ((analysis: StudyAnalysis, items: readonly Item[]) => readonly string[]);
};

/** An item with the setting and the method that it belongs to: what each row begins with. */
export type Placed<Item> = { readonly setting: string; readonly title: string; readonly item: Item };

type Columns<Item> = readonly (ColumnSpec<Item> | readonly ColumnSpec<Item>[])[];
export type ColumnSpec<Item> = Column & { readonly cell: (item: Item) => Cell };

/** Makes a table of a study; none when it would have no row. The setting is a column where the study has several. */
export function build<Item>(
  tableName: string,
  placed: readonly Placed<Item>[],
  { caption, columns, notes }: TableSpec<Item>,
  analysis: StudyAnalysis,
): Table[] {
  if (placed.length === 0) return [];
  const all = placed.map(({ item }) => item);
  const specs = (typeof columns === 'function' ? columns(all) : columns).flat();
  const several = analysis.settings.length > 1;
  return [
    {
      name: tableName,
      caption: typeof caption === 'function' ? caption(analysis) : caption,
      columns: [
        ...(several ? [nameColumn('experiment', 'Setting')] : []),
        nameColumn('method', 'Method'),
        ...specs.map(({ key, title, unit, decimals }) => ({ key, title, unit, decimals })),
      ],
      rows: placed.map(({ setting, title, item }) => [
        ...(several ? [name(setting)] : []),
        name(title),
        ...specs.map(({ cell }) => cell(item)),
      ]),
      notes: typeof notes === 'function' ? notes(analysis, all) : notes,
    },
  ];
}

/** The items of every contender of every setting, in order. */
export function ofContenders<Item>(
  itemsOf: (contender: Contender) => readonly Item[],
): (analysis: StudyAnalysis) => Placed<Item>[] {
  return ({ settings }) =>
    settings.flatMap(({ name: setting, contenders }) =>
      contenders.flatMap((contender) =>
        itemsOf(contender).map((item) => ({ setting, title: contender.title, item })),
      ),
    );
}

export function nameColumn(key: string, title: string): Column {
  return { key, title, unit: null, decimals: 0 };
}

/** A column of texts. */
export function names<Item>(key: string, title: string, text: (item: Item) => string): ColumnSpec<Item> {
  return { ...nameColumn(key, title), cell: (item) => name(text(item)) };
}

/** A column of figures in a unit. */
export function figures<Item>(
  key: string,
  title: string,
  unit: string,
  value: (item: Item) => number | null | undefined,
  decimals = 1,
): ColumnSpec<Item> {
  return { key, title, unit, decimals, cell: (item) => figure(value(item)) };
}

/** A column of shares or of their differences, from 0..1 to per cent. */
export function percents<Item>(
  key: string,
  title: string,
  share: (item: Item) => number | null | undefined,
  unit: '%' | 'points' = '%',
): ColumnSpec<Item> {
  return figures(key, title, unit, (item) => (share(item) ?? NaN) * 100);
}

/** A column of shares with their 95 % intervals, from 0..1 to per cent. */
export function shares<Item>(
  key: string,
  title: string,
  ratio: (item: Item) => Share | null | undefined,
): ColumnSpec<Item> {
  return { key, title, unit: '%', decimals: 1, cell: (item) => shareCell(ratio(item) ?? null) };
}

/** A share with the size of its sample. */
export type Share = Pick<Ratio, 'value' | 'standardError' | 'questions'>;

/** The cell of a share: in per cent, with Wilson's interval. */
export function shareCell(share: Share | null, rest: Partial<Pick<Figure, 'mark' | 'published'>> = {}): Cell {
  if (share === null) return absent;
  const { low, high } = wilsonInterval(share, share.questions);
  return figure(share.value * 100, {
    error: share.standardError * 100,
    interval: { low: low * 100, high: high * 100 },
    ...rest,
  });
}

/** A column of differences of shares with their standard errors, in points. */
export function pointsWithError<Item>(
  key: string,
  title: string,
  ratio: (item: Item) => Pick<Ratio, 'value' | 'standardError'> | null,
): ColumnSpec<Item> {
  return { key, title, unit: 'points', decimals: 1, cell: (item) => withError(ratio(item), 100) };
}

/** A column of means with their standard errors. */
export function means<Item>(
  key: string,
  title: string,
  unit: string,
  ratio: (item: Item) => Pick<Ratio, 'value' | 'standardError'> | null,
  decimals: number,
): ColumnSpec<Item> {
  return { key, title, unit, decimals, cell: (item) => withError(ratio(item), 1) };
}

function withError(ratio: Pick<Ratio, 'value' | 'standardError'> | null, times: number): Cell {
  return ratio === null ? absent : figure(ratio.value * times, { error: ratio.standardError * times });
}

/** Three columns: a difference of shares and the ends of its interval, in points. */
export function differences<Item>(
  key: string,
  title: string,
  difference: (item: Item) => DifferenceInterval | null,
): ColumnSpec<Item>[] {
  return [
    percents(key, title, (item) => difference(item)?.difference, 'points'),
    percents('low', 'From', (item) => difference(item)?.low, 'points'),
    percents('high', 'To', (item) => difference(item)?.high, 'points'),
  ];
}

/** A column of p-values as people read them; CSV has all of their decimals. */
export function pValues<Item>(
  key: string,
  title: string,
  p: (item: Item) => number | null | undefined,
): ColumnSpec<Item> {
  return {
    ...nameColumn(key, title),
    cell: (item) => {
      const value = p(item) ?? NaN;
      return Number.isFinite(value) ? { ...name(pValue(value)), value } : absent;
    },
  };
}

/** The column of the iteration: `base` before any. */
export function iterations<Item extends { readonly iteration: number }>(): ColumnSpec<Item> {
  return names('iteration', 'Iteration', ({ iteration }) => (iteration === 0 ? 'base' : String(iteration)));
}

/** A table with a row for each item. The items come first, so that their type is known where the columns are written. */
export function tableOf<Item>(items: (analysis: StudyAnalysis) => readonly Placed<Item>[]) {
  return (spec: TableSpec<Item>) =>
    (name: string, analysis: StudyAnalysis): Table[] =>
      build(name, items(analysis), spec, analysis);
}

export function referenceTitle(analysis: StudyAnalysis): string {
  return titleOf(analysis, analysis.comparisons[0]?.setting ?? '', analysis.reference);
}

export function share(point: MeasuredAccuracy | undefined): Share | null {
  if (point === undefined) return null;
  const { accuracy, standardError, questions } = point;
  return { value: accuracy, standardError, questions };
}
