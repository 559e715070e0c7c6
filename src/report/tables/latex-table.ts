import { columnHead, figureText } from './figure-text.ts';
import type { Cell, Column, Table } from './table.ts';

/** A table in LaTeX with the rules of the package booktabs. A published figure stands in brackets behind ours, in italics where they differ. */
export function latexTable({ name, caption, columns, rows, notes }: Table): string {
  const line = (cells: readonly string[]) => String.raw`    ${cells.join(' & ')} \\`;
  return [
    String.raw`\begin{table}`,
    String.raw`  \centering`,
    String.raw`  \caption{${escaped(caption)}}`,
    String.raw`  \label{tab:${name}}`,
    String.raw`  \begin{tabular}{${columns.map(({ unit }) => (unit === null ? 'l' : 'r')).join('')}}`,
    String.raw`    \toprule`,
    line(columns.map((column) => escaped(columnHead(column)))),
    String.raw`    \midrule`,
    ...rows.map((row) => line(columns.map((column, index) => cellText(row[index], column)))),
    String.raw`    \bottomrule`,
    String.raw`  \end{tabular}`,
    ...notes.map((note) => String.raw`  \par\footnotesize ${escaped(note)}`),
    String.raw`\end{table}`,
    '',
  ].join('\n');
}

function cellText(cell: Cell | undefined, column: Column): string {
  if (cell === undefined || cell.kind === 'absent') return '--';
  if (cell.kind === 'name') return escaped(cell.text);
  const { value, error, mark, published } = figureText(cell, column);
  const differs = cell.published?.agrees === false;
  return [
    escaped(value) + (mark === null ? '' : String.raw`\textsuperscript{${escaped(mark)}}`),
    ...(error === null ? [] : [`${signs['±']} ${error}`]),
    ...(published === null
      ? []
      : [differs ? String.raw`(\textit{${escaped(published)}})` : `(${escaped(published)})`]),
  ].join(' ');
}

/** What LaTeX would take for a command, and what its oldest fonts lack. */
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

function escaped(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[^A-Za-z0-9 ]/g, (sign) => signs[sign] ?? sign);
}
