/** A table of a report, before it is known where it will be printed: page, Markdown, LaTeX, CSV or JSON. */
export type Table = {
  /** What it is called in file names: lower case, digits and hyphens. */
  readonly name: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  /** A cell for each column. */
  readonly rows: readonly (readonly Cell[])[];
  /** What marks and figures mean; below the table. */
  readonly notes: readonly string[];
};

export type Column = {
  /** What it is called in CSV: lower case, digits and underscores. */
  readonly key: string;
  readonly title: string;
  /** Of its figures, e.g. `%` or `tokens`; null for names. */
  readonly unit: string | null;
  /** How many of its figures' decimals people are shown. CSV and JSON have all. */
  readonly decimals: number;
};

export type Cell = Name | Figure | Absent;
export type Name = {
  readonly kind: 'name';
  readonly text: string;
  /** What it stands for, where that is a number that people are told in words or by its power of ten. */
  readonly value?: number;
};
/** Nothing was measured. */
export type Absent = { readonly kind: 'absent' };
export type Figure = {
  readonly kind: 'figure';
  /** In the column's unit. */
  readonly value: number;
  /** One standard error; null where none is known. */
  readonly error: number | null;
  /** That of a test, e.g. `*`; the notes say what it means. */
  readonly mark: string | null;
  /** The same figure as published, and whether ours agrees with it within error; null where there is none. */
  readonly published: {
    readonly value: number;
    readonly error: number | null;
    readonly agrees: boolean;
  } | null;
};

/** The cell of a value: absent when it is no number, so that no table prints NaN. */
export function figure(value: number, rest: Partial<Omit<Figure, 'kind' | 'value'>> = {}): Cell {
  if (!Number.isFinite(value)) return { kind: 'absent' };
  const { error = null, mark = null, published = null } = rest;
  return { kind: 'figure', value, error, mark, published };
}
