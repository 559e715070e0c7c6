import type { Ratio } from '../../../algorithm/measures/tests.ts';
import { pValue } from '../../format.ts';
import { type Cell, type Column, figure } from '../../tables/table.ts';
import type { Column as Experiment, Row, StudyAnalysis } from '../analyse-study.ts';

export function names(key: string, title: string): Column {
  return { key, title, unit: null, decimals: 0 };
}

export function figures(key: string, title: string, unit: string, decimals = 1): Column {
  return { key, title, unit, decimals };
}

export function named(text: string): Cell {
  return { kind: 'name', text };
}

/** A test's p, as people read it; CSV has all of its decimals. */
export function probability(p: number): Cell {
  return Number.isFinite(p) ? { kind: 'name', text: pValue(p), value: p } : { kind: 'absent' };
}

/** A share with its standard error. */
export function percent(ratio: Ratio | null): Cell {
  return ratio === null
    ? { kind: 'absent' }
    : figure(ratio.value * 100, { error: ratio.standardError * 100 });
}

/** What a table begins with that has a row for each method: the method, and the experiment where the study has several. */
export function leading({ columns }: StudyAnalysis): {
  readonly columns: readonly Column[];
  readonly cells: (experiment: string, title: string) => Cell[];
} {
  const several = columns.length > 1;
  return {
    columns: [...(several ? [names('experiment', 'Experiment')] : []), names('method', 'Method')],
    cells: (experiment, title) => [...(several ? [named(experiment)] : []), named(title)],
  };
}

/** Every row of every column of the study, in order. */
export function allRows({ columns }: StudyAnalysis): { readonly column: Experiment; readonly row: Row }[] {
  return columns.flatMap((column) => column.rows.map((row) => ({ column, row })));
}

/** A row's title in a column; the key where the column lacks it. */
export function titleOf({ columns }: StudyAnalysis, column: string, key: string): string {
  const rows = columns.find(({ name }) => name === column)?.rows ?? [];
  return rows.find((row) => row.key === key)?.title ?? key;
}
