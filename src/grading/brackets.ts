/** Where do the brackets of a mathematical text open and close? All functions take time linear in the length of the text. */

/** How normalised texts write the "or" between alternatives. */
export const OR = '\u0006';

/** What stands between the items of a normalised list. */
export const ITEM_SEPARATORS = `,;${OR}`;

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

/** Whether every bracket has a partner. An interval may be written with brackets that open outwards: `]0,1[`. */
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

/** A text that is enclosed in one pair of brackets; `\{…\}` and `{…}` both have the brackets `{` and `}`. */
export interface Enclosed {
  readonly open: string;
  readonly close: string;
  readonly inside: string;
}

/** The brackets that enclose the whole `text`; null when there are none: `(1,2]` is enclosed, `(1)+(2)` is not. */
export function enclosed(text: string): Enclosed | null {
  const width = text.startsWith('\\{') ? 2 : 1;
  const open = text.charAt(width - 1);
  if (open === '' || !'([{'.includes(open)) return null;
  const end = closingBracket(text, width - 1);
  if (end !== text.length - 1) return null;
  return { open, close: text.charAt(end), inside: text.slice(width, -width) };
}

/** `text` with braces around every argument of `\frac`, `\sqrt`, `^` and `_`, as in `\frac12`, `\sqrt3`, `x^10`, `e^(2x)`. */
export function braceArguments(text: string): string {
  let result = '';
  for (let at = 0; at < text.length;) {
    const char = text.charAt(at);
    if (text.startsWith('\\text{', at)) {
      const end = closingBracket(text, at + 5);
      result += text.slice(at, end < 0 ? text.length : end + 1);
      at = end < 0 ? text.length : end + 1;
    } else if (text.startsWith('\\frac', at) || /^\\binom(?![a-zA-Z])/.test(text.slice(at, at + 7))) {
      const command = text.startsWith('\\frac', at) ? '\\frac' : '\\binom';
      const top = argument(text, at + command.length, 'token');
      const bottom = argument(text, top.end, 'token');
      result += `${command}{${top.content}}{${bottom.content}}`;
      at = bottom.end;
    } else if (text.startsWith('\\sqrt', at)) {
      const degree = /^\s*\[([^[\]]{1,40})\]/.exec(text.slice(at + 5, at + 60));
      const radicand = argument(text, at + 5 + (degree?.[0].length ?? 0), 'number');
      result += `\\sqrt${degree === null ? '' : `[${degree[1] ?? ''}]`}{${radicand.content}}`;
      at = radicand.end;
    } else if ((char === '^' || char === '_') && at > 0) {
      const raised = argument(text, at + 1, char === '^' ? 'exponent' : 'number');
      result += `${char}{${raised.content}}`;
      at = raised.end;
    } else {
      result += char === '\\' ? text.slice(at, at + 2) : char;
      at += char === '\\' ? 2 : 1;
    }
  }
  return result;
}

interface Argument {
  readonly content: string;
  readonly end: number;
}

const TOKEN = /^(?:\\[a-zA-Z]+|\d|[a-zA-Z])/;
const NUMBER = /^(?:\\[a-zA-Z]+|\d+(?:\.\d+)?|[a-zA-Z])/;
const EXPONENT = /^(?:\\[a-zA-Z]+|[+-]?\d+(?:\.\d+)?|[+-]?[a-zA-Z]|\+|-|\*|')/;
const SIZES = { token: TOKEN, number: NUMBER, exponent: EXPONENT };

/** The argument at a place. TeX takes one digit, but people who write `x^10` or `\sqrt10` without braces mean the whole number. */
function argument(text: string, from: number, size: keyof typeof SIZES): Argument {
  let at = from;
  while (text.charAt(at) === ' ') at++;
  const open = text.charAt(at);
  if (open === '{' || (open === '(' && size !== 'token')) {
    const end = closingBracket(text, at);
    if (end < 0) return { content: '', end: text.length };
    return { content: braceArguments(text.slice(at + 1, end)).trim(), end: end + 1 };
  }
  const token = SIZES[size].exec(text.slice(at, at + 60))?.[0] ?? '';
  if ((token === '\\sqrt' || token === '\\frac') && size !== 'number') {
    const rest = braceCommand(text, at);
    return { content: braceArguments(text.slice(at, rest)), end: rest };
  }
  return { content: token, end: at + token.length };
}

/** Where `\sqrt{…}` or `\frac{…}{…}`, itself an argument, ends. */
function braceCommand(text: string, at: number): number {
  let end = at + 5;
  for (let count = text.startsWith('\\frac', at) ? 2 : 1; count > 0 && text.charAt(end) === '{'; count--) {
    const close = closingBracket(text, end);
    if (close < 0) return text.length;
    end = close + 1;
  }
  return end;
}
