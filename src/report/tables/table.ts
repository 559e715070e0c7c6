/** A table of a report, before it is printed: as HTML, Markdown, LaTeX, CSV or JSON. */
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
  /** The unit of its figures, e.g. `%` or `tokens`; null for names. */
  readonly unit: string | null;
  /** How many decimals of its figures people are shown. CSV and JSON have all. */
  readonly decimals: number;
};

export type Cell = Name | Figure | Absent;
export type Name = {
  readonly kind: 'name';
  readonly text: string;
  /** The number behind the text, where people are shown it in words or by its power of ten. */
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
  /** The ends of its 95 % interval; null where none is known. People are shown it instead of the error. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** The mark of a test, e.g. `*`; the notes say what it means. */
  readonly mark: string | null;
  /** The same figure as published, and whether ours agrees with it within error; null where there is none. */
  readonly published: {
    readonly value: number;
    readonly error: number | null;
    readonly agrees: boolean;
  } | null;
};

export const absent: Absent = { kind: 'absent' };

export function name(text: string): Name {
  return { kind: 'name', text };
}

/** The cell of a value: absent when it is null or no number, so that no table prints NaN. */
export function figure(
  value: number | null | undefined,
  rest: Partial<Omit<Figure, 'kind' | 'value'>> = {},
): Cell {
  if (value === null || value === undefined || !Number.isFinite(value)) return absent;
  const { error = null, interval = null, mark = null, published = null } = rest;
  return { kind: 'figure', value, error, interval, mark, published };
}

/** The parts of a figure as people read them, with a true minus sign; null where there is none. */
export type FigureText = {
  readonly value: string;
  /** `± 2.1`, or an interval as `57.1–65.6`. */
  readonly error: string | null;
  readonly mark: string | null;
  readonly published: string | null;
};

export function figureText(
  { value, error, interval, mark, published }: Figure,
  { decimals }: Column,
): FigureText {
  const text = (number: number) =>
    number
      .toFixed(decimals)
      .replace(/^-(?=0(\.0*)?$)/, '')
      .replace('-', '−');
  const textIfAny = (number: number | null) => (number === null ? null : text(number));
  const publishedError = published === null ? null : textIfAny(published.error);
  return {
    value: text(value),
    error:
      interval !== null
        ? `${text(interval.low)}–${text(interval.high)}`
        : error === null
          ? null
          : `± ${text(error)}`,
    mark,
    published:
      published === null
        ? null
        : text(published.value) + (publishedError === null ? '' : ` ± ${publishedError}`),
  };
}

/** The head of a column: its title, with the unit of its figures. */
export function columnHead({ title, unit }: Column): string {
  return unit === null ? title : `${title}, ${unit}`;
}
