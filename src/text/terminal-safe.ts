/** Makes texts safe to print on a terminal or to paste into a shell. */

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
