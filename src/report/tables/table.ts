import { stringify } from 'csv-stringify/sync';
import { type Place, writeBytes } from '../../store/blobs.ts';
import { githubText, markdownTable } from '../../text/safe-text.ts';

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
  /** `± 2.1`, or an interval as `(57.1–65.6)`. */
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
        ? `(${text(interval.low)}–${text(interval.high)})`
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

/**
 * Writes a table as CSV, JSON, Markdown and LaTeX, replacing what is there.
 *
 * @param place of the table of a name in a format
 * @returns the files
 * @throws DiskFull, StoreNotWritable
 */
export async function writeTable(
  table: Table,
  place: (name: string, format: string) => Place,
): Promise<Place[]> {
  const texts = {
    csv: csvOf(table),
    json: `${JSON.stringify(table, null, 2)}
`,
    md: markdownOf(table),
    tex: latexOf(table),
  };
  const files = Object.entries(texts).map(([format, text]) => ({ place: place(table.name, format), text }));
  for (const each of files) await writeBytes(each.place, each.text);
  return files.map((each) => each.place);
}

/**
 * A table as CSV (RFC 4180), for programs: figures with all their decimals. A column KEY has KEY_error, KEY_low, KEY_high, KEY_mark, KEY_published,
 * KEY_published_error and KEY_agrees beside it where any of its figures has them. An absent cell is empty.
 */
export function csvOf({ columns, rows }: Table): string {
  const series = columns.flatMap(({ key }, index) => {
    const cells = rows.map((row) => row[index]);
    const extras = Object.entries(partsOfFigure).map(([ending, of]) => ({
      key: key + ending,
      values: cells.map((cell) => (cell?.kind === 'figure' ? of(cell) : null)),
    }));
    return [
      { key, values: cells.map(csvValue) },
      ...extras.filter(({ values }) => values.some((value) => value !== null)),
    ];
  });
  const records = rows.map((_, row) => series.map(({ values }) => String(values[row] ?? '')));
  return stringify([series.map(({ key }) => key), ...records], { record_delimiter: 'windows' });
}

function csvValue(cell: Cell | undefined): string | number | null {
  if (cell === undefined || cell.kind === 'absent') return null;
  return cell.kind === 'name' ? (cell.value ?? cell.text) : cell.value;
}

const partsOfFigure: Readonly<Record<string, (figure: Figure) => string | number | boolean | null>> = {
  _error: ({ error }) => error,
  _low: ({ interval }) => interval?.low ?? null,
  _high: ({ interval }) => interval?.high ?? null,
  _mark: ({ mark }) => mark,
  _published: ({ published }) => published?.value ?? null,
  _published_error: ({ published }) => published?.error ?? null,
  _agrees: ({ published }) => published?.agrees ?? null,
};

/** A table in Markdown as GitHub reads it. A published figure is in brackets after ours, with ✓ where the two agree. */
export function markdownOf({ caption, columns, rows, notes }: Table): string {
  return [
    `**${githubText(caption)}**`,
    '',
    markdownTable(
      columns.map((column) => githubText(columnHead(column))),
      rows.map((row) => columns.map((column, index) => markdownCell(row[index], column))),
      columns.map(({ unit }) => (unit === null ? 'left' : 'right')),
    ),
    ...notes.flatMap((note) => ['', githubText(note)]),
    '',
  ].join('\n');
}

function markdownCell(cell: Cell | undefined, column: Column): string {
  if (cell === undefined || cell.kind === 'absent') return '–';
  if (cell.kind === 'name') return githubText(cell.text);
  const { value, error, mark, published } = figureText(cell, column);
  return [
    value + (mark === null ? '' : githubText(mark)),
    ...(error === null ? [] : [error]),
    ...(published === null ? [] : [`(${published} ${cell.published?.agrees === true ? '✓' : '✗'})`]),
  ].join(' ');
}

/** A table in LaTeX with the rules of the package booktabs. A published figure is in brackets after ours, in italics where they differ. */
export function latexOf({ name, caption, columns, rows, notes }: Table): string {
  const line = (cells: readonly string[]) => String.raw`    ${cells.join(' & ')} \\`;
  return [
    String.raw`\begin{table}`,
    String.raw`  \centering`,
    String.raw`  \caption{${latexText(caption)}}`,
    String.raw`  \label{tab:${name}}`,
    String.raw`  \begin{tabular}{${columns.map(({ unit }) => (unit === null ? 'l' : 'r')).join('')}}`,
    String.raw`    \toprule`,
    line(columns.map((column) => latexText(columnHead(column)))),
    String.raw`    \midrule`,
    ...rows.map((row) => line(columns.map((column, index) => latexCell(row[index], column)))),
    String.raw`    \bottomrule`,
    String.raw`  \end{tabular}`,
    ...notes.map((note) => String.raw`  \par\footnotesize ${latexText(note)}`),
    String.raw`\end{table}`,
    '',
  ].join('\n');
}

function latexCell(cell: Cell | undefined, column: Column): string {
  if (cell === undefined || cell.kind === 'absent') return '--';
  if (cell.kind === 'name') return latexText(cell.text);
  const { value, error, mark, published } = figureText(cell, column);
  const differs = cell.published?.agrees === false;
  return [
    latexText(value) + (mark === null ? '' : String.raw`\textsuperscript{${latexText(mark)}}`),
    ...(error === null ? [] : [latexText(error)]),
    ...(published === null
      ? []
      : [differs ? String.raw`(\textit{${latexText(published)}})` : `(${latexText(published)})`]),
  ].join(' ');
}

/** Characters that LaTeX would take for a command, or that its oldest fonts lack. */
const signs: Readonly<Record<string, string>> = {
  '\\': String.raw`\textbackslash{}`,
  '{': String.raw`\{`,
  '}': String.raw`\}`,
  '#': String.raw`\#`,
  $: String.raw`\$`,
  '%': String.raw`\%`,
  '&': String.raw`\&`,
  _: String.raw`\_`,
  '~': String.raw`\textasciitilde{}`,
  '^': String.raw`\textasciicircum{}`,
  '<': String.raw`\textless{}`,
  '>': String.raw`\textgreater{}`,
  '|': String.raw`\textbar{}`,
  // At the beginning of a row, LaTeX takes a bracket for an option of the row before.
  '[': '{[}',
  ']': '{]}',
  '*': '{*}',
  '±': String.raw`$\pm$`,
  '−': '$-$',
  '–': '--',
  '→': String.raw`$\rightarrow$`,
  '×': String.raw`$\times$`,
  '†': String.raw`\dag{}`,
  '’': "'",
};

function latexText(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[^A-Za-z0-9 ]/g, (sign) => signs[sign] ?? sign);
}
