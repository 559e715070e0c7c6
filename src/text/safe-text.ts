/** Texts as Markdown (GitHub, Hugging Face, the Temporal UI), terminals and shells take them: nothing in a foreign text is read as a command. */

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

/**
 * A model's text as a terminal may show it: escape sequences and other control characters become visible (`\x1b`), so that no answer
 * can move the cursor, change the title, write to the clipboard or hide text. Line breaks and tabs stay.
 */
export function terminalSafe(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** C0 without \t and \n, DEL and C1, and the marks that reverse or isolate the direction of text. */
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text that others wrote as one word of a shell's command line, on one line. */
export function shellWord(text: string): string {
  return shellQuoted(terminalSafe(text).replace(/[\n\t]/g, ' '));
}

/** A word as a POSIX shell takes it: in quotes only where it needs them. */
export function shellQuoted(word: string): string {
  return /^[\w./=:,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Breaks a text at blanks into lines of at most `columns` characters. A longer word has a line of its own; line breaks in the text stay.
 *
 * @param columns at least 1
 */
export function wrapped(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    return [...lines, line];
  });
}
