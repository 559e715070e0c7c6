/** Reading mathematical text by its brackets. All functions are linear in the length of the text. */

/**
 * The parts of `text` between the separators that stand outside all brackets, braces and `\text{…}`.
 * Half-open intervals are balanced too, so any closing bracket closes any opening one. Null when the brackets do not balance.
 */
export function splitTopLevel(text: string, separators: string): string[] | null {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') {
      const escaped = text.charAt(at + 1);
      if (escaped === '{') depth++;
      else if (escaped === '}') depth--;
      at++;
    } else if ('([{'.includes(char)) {
      depth++;
    } else if (')]}'.includes(char)) {
      if (--depth < 0) return null;
    } else if (depth === 0 && separators.includes(char)) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  if (depth !== 0) return null;
  parts.push(text.slice(start));
  return parts;
}

/** Whether every bracket has its partner. An interval may be written with brackets that open outwards: `]0,1[`. */
export function isBalanced(text: string): boolean {
  return splitTopLevel(text.replace(/^\](.*)[[\]]$|^[[(](.*)\[$/s, '$1$2'), '') !== null;
}

/** The index of the bracket that closes the one at `open` (which may be `(`, `[` or `{`), or -1. */
export function closingBracket(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\' && at > open) {
      const escaped = text.charAt(at + 1);
      if (escaped === '{') depth++;
      else if (escaped === '}') depth--;
      at++;
    } else if ('([{'.includes(char)) {
      depth++;
    } else if (')]}'.includes(char)) {
      depth--;
    }
    if (depth === 0) return at;
  }
  return -1;
}

/** Text that one pair of brackets encloses as a whole; `\{…\}` and `{…}` both have the brackets `{` and `}`. */
export interface Enclosed {
  readonly open: string;
  readonly close: string;
  readonly inside: string;
}

/** What encloses the whole of `text`, or null: `(1,2]` is enclosed, `(1)+(2)` is not. */
export function enclosed(text: string): Enclosed | null {
  const width = text.startsWith('\\{') ? 2 : 1;
  const open = text.charAt(width - 1);
  if (open === '' || !'([{'.includes(open)) return null;
  const end = closingBracket(text, width - 1);
  if (end !== text.length - 1) return null;
  return { open, close: text.charAt(end), inside: text.slice(width, -width) };
}
