import { columnHead, figureText } from './figure-text.ts';
import type { Cell, Column, Table } from './table.ts';

/** A table in Markdown as GitHub reads it. A published figure stands in brackets behind ours, with ✓ where the two agree. */
export function markdownTable({ caption, columns, rows, notes }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `**${escaped(caption)}**`,
    '',
    line(columns.map((column) => escaped(columnHead(column)))),
    line(columns.map(({ unit }) => (unit === null ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map((column, index) => cellText(row[index], column)))),
    ...notes.flatMap((note) => ['', escaped(note)]),
    '',
  ].join('\n');
}

function cellText(cell: Cell | undefined, column: Column): string {
  if (cell === undefined || cell.kind === 'absent') return '–';
  if (cell.kind === 'name') return escaped(cell.text);
  const { value, error, mark, published } = figureText(cell, column);
  return [
    value + (mark === null ? '' : escaped(mark)),
    ...(error === null ? [] : [`± ${error}`]),
    ...(published === null ? [] : [`(${published} ${cell.published?.agrees === true ? '✓' : '✗'})`]),
  ].join(' ');
}

/** Text that stays the text that it is: a backslash takes the meaning from any sign. */
function escaped(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#+!|~$&]/g, String.raw`\$&`);
}
