import { stringify } from 'csv-stringify/sync';
import type { Cell, Figure, Table } from './table.ts';

/**
 * A table as CSV (RFC 4180), for programs: figures with all their decimals. A column KEY has KEY_error, KEY_mark, KEY_published,
 * KEY_published_error and KEY_agrees beside it where any of its figures has them. What is absent is empty.
 */
export function csvTable({ columns, rows }: Table): string {
  const series = columns.flatMap(({ key }, index) => {
    const cells = rows.map((row) => row[index]);
    const besides = Object.entries(besideFigure).map(([ending, of]) => ({
      key: key + ending,
      values: cells.map((cell) => (cell?.kind === 'figure' ? of(cell) : null)),
    }));
    return [
      { key, values: cells.map(valueOf) },
      ...besides.filter(({ values }) => values.some((value) => value !== null)),
    ];
  });
  const records = rows.map((_, row) => series.map(({ values }) => String(values[row] ?? '')));
  return stringify([series.map(({ key }) => key), ...records], { record_delimiter: 'windows' });
}

function valueOf(cell: Cell | undefined): string | number | null {
  if (cell === undefined || cell.kind === 'absent') return null;
  return cell.kind === 'name' ? (cell.value ?? cell.text) : cell.value;
}

const besideFigure: Readonly<Record<string, (figure: Figure) => string | number | boolean | null>> = {
  _error: ({ error }) => error,
  _mark: ({ mark }) => mark,
  _published: ({ published }) => published?.value ?? null,
  _published_error: ({ published }) => published?.error ?? null,
  _agrees: ({ published }) => published?.agrees ?? null,
};
