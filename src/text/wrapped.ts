/** A text in lines that fit into so many columns. */

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
