/** Markdown as GitHub, Hugging Face and the Temporal UI read it. */

/**
 * For texts that the Temporal UI shows. The server of today (1.29, UI 2.42) sends them without its style sheet, so that they are black on
 * near-black in the dark theme. It lets HTML through, and a second body tag gives its attributes to the page. A style sheet, where
 * there is one, counts more than these.
 */
export const blackOnWhite = '<body bgcolor="white" text="black">';

/**
 * A table. Cells are Markdown already: text that others wrote goes through `markdownText` or `tableCell` first.
 *
 * @param head null for a table without one: Markdown has none, so its head is empty
 * @param align by column, left where it is not given
 */
export function markdownTable(
  head: readonly string[] | null,
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[] = [],
): string {
  const columns = head?.length ?? rows[0]?.length ?? 0;
  const rules = Array.from({ length: columns }, (_, column) => (align[column] === 'right' ? '---:' : '---'));
  return [head === null ? `|${' |'.repeat(columns)}` : line(head), line(rules), ...rows.map(line)].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Text in a line, in which no character means anything to Markdown. */
export function markdownText(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|~#!&]/g, String.raw`\$&`);
}

/** Text in a line on GitHub, which also reads formulas between dollar signs. */
export function githubText(text: string): string {
  return markdownText(text).replaceAll('$', String.raw`\$`);
}

/** Markdown in a cell of a table: on one line, and with nothing that ends the cell. */
export function tableCell(markdown: string): string {
  return markdown.replaceAll('|', String.raw`\|`).replace(/\s+/g, ' ');
}

/** A block of code. Nothing in the text can end it: the fence is longer than any row of backticks there. */
export function fenced(text: string, language = ''): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}${language}\n${text}\n${fence}`;
}
