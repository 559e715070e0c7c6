/**
 * How is a mathematical expression built (where do its brackets open and close, may its factors change places), and may the compute engine read
 * it? The functions for brackets take time linear in the length of the text.
 */
import { hasWord } from './words.ts';

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

const BOLD = String.raw`\\(?:mathbf|vec|boldsymbol|bm)\{[^{}]*\}`;
const SCRIPTS = String.raw`(?:'|_\{[^{}]*\}|\^\{[^{}]*\})*`;
const TRANSPOSED = String.raw`(?:(?:${BOLD}|[A-Za-df-z]|\([A-Z ]+\))(?:_\{[^{}]*\})?\^\{(?:T|-T|t|\\(?:top|intercal|dagger|mathsf\{T\}|text\{T\}))\}|[A-Z](?:_\{[^{}]*\})?\^\{-1\})`;
const MATRIX = `(?:${BOLD}|[A-Z])${SCRIPTS}`;
/** Signs between factors; with a dot the product of two vectors may be in any order. */
const BESIDE = String.raw`(?:\\times ?|\\otimes ?|\\circ ?| )?`;
const MATRIX_PRODUCT = new RegExp(
  [
    `${BOLD}${SCRIPTS}${BESIDE}${BOLD}`,
    String.raw`\\(?:mathbf|boldsymbol|bm)\{[A-Z]\}${SCRIPTS}\\cdot ?${BOLD}`,
    String.raw`\\(?:mathbf|boldsymbol|bm)\{[A-Z]{2,}\}`,
    String.raw`${TRANSPOSED}(?:\\cdot ?)?${BESIDE}(?:\(|${MATRIX}|[a-z])`,
    String.raw`(?:\)|${MATRIX}|[a-z])(?:\\cdot ?)?${BESIDE}${TRANSPOSED}`,
    String.raw`\([A-Z][A-Z ]+\)\^\{(?:T|-1|\\top)\}`,
    // AB beside BA.
    String.raw`(?<![A-Za-z])([A-Z]) ?(?!\1)([A-Z])(?![A-Za-z]).*(?<![A-Za-z])\2 ?\1(?![A-Za-z])`,
  ].join('|'),
);

/** Whether a formula has a product of matrices or vectors, whose factors may not change places: `A^{T}B`, `\mathbf{a}\times\mathbf{b}`. */
export function isMatrixProduct(text: string): boolean {
  return /[A-Z]|\\(?:vec|mathbf|b)/.test(text) && MATRIX_PRODUCT.test(text);
}

/** The longest expression for the compute engine, in characters. Its parser gets slow quickly (0.2 s for 3,000 letters). */
const LONGEST_EXPRESSION = 300;

/** The deepest nesting of brackets and the greatest number of functions: minus signs or logarithms nested 14 deep take seconds. */
const DEEPEST_BRACKETS = 10;
const MOST_FUNCTIONS = 10;

/**
 * Whether the compute engine may read an expression. Refused are texts that are not plain expressions (words, lists, relations,
 * decorations), expressions that the engine is known to read wrongly, and those that it cannot compute in bounded time: its own time
 * limit stops neither its parser nor powers of big integers.
 */
export function engineMayRead(text: string): boolean {
  return (
    text.length <= LONGEST_EXPRESSION &&
    /^[\x20-\x7e]+$/.test(text) &&
    !/[=<>:;?"'`#@&%$~,]/.test(text) &&
    !/\{\}|[\^_]$|\^\{?[-+*]\}?(?!\d|\w|\\|\()/.test(text) &&
    !hasWord(text) &&
    onlyKnownCommands(text) &&
    !isMatrixProduct(text) &&
    !/(?:^|[^a-zA-Z])[0-9)]+_/.test(text) &&
    !/\d{40}/.test(text) &&
    !AMBIGUOUS.test(text) &&
    !LETTER_BEFORE_DIGIT.test(text) &&
    boundedNesting(text) &&
    boundedBars(text) &&
    boundedFactorials(text) &&
    boundedPowers(text)
  );
}

/** People read `1/2x` in both ways; the engine reads `1 2/3` as 12/3. */
const AMBIGUOUS = /\/ ?(?:\d+|[a-zA-Z]) ?(?:[a-zA-Z]|\\(?!cdot|times)|\()|\d \d/;

/** `CO2` and `C2O` are no products, and `x2` may be a product, a power or a name. */
const LETTER_BEFORE_DIGIT = /(?<![a-zA-Z\\])[a-zA-Z]{1,2}\d/;

const KNOWN = new Set(
  (
    'frac sqrt pi cdot times sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp circ binom ' +
    'alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi psi omega Delta Omega Theta Phi Lambda Sigma mathbf'
  ).split(' '),
);

function onlyKnownCommands(text: string): boolean {
  return [...text.matchAll(/\\([a-zA-Z]+|.)/g)].every((match) => KNOWN.has(match[1] ?? ''));
}

function boundedNesting(text: string): boolean {
  const functions = text.match(/\\(?:sin|cos|tan|cot|sec|csc|arc|ln|log|exp|binom)|[a-zA-Z]\(/g)?.length ?? 0;
  if (functions > MOST_FUNCTIONS) return false;
  const closers: string[] = [];
  for (const char of text) {
    const at = '([{'.indexOf(char);
    if (at >= 0) closers.push(')]}'.charAt(at));
    else if (')]}'.includes(char) && closers.pop() !== char) return false;
    if (closers.length > DEEPEST_BRACKETS) return false;
  }
  return closers.length === 0;
}

/** An opening bar looks like a closing one, so the parser tries every way to pair bars. */
function boundedBars(text: string): boolean {
  const bars = text.split('|').length - 1;
  return bars % 2 === 0 && bars <= 6 && !text.includes('||');
}

function boundedFactorials(text: string): boolean {
  if (/\\binom/.test(text)) return !/\d{4}/.test(text);
  return !text.includes('!') || !/\d{4,}!|[)}\]|]\s*!|!\s*!|\^/.test(text);
}

/** No exponent is within an exponent, and the product of all numeric exponents is at most 10^4. Refuses ((9^{999})^{999})^{999}. */
function boundedPowers(text: string): boolean {
  let product = 1;
  for (const { index } of text.matchAll(/\^/g)) {
    const exponent = exponentAt(text, index + 1);
    if (exponent.includes('^')) return false;
    for (const digits of exponent.match(/\d+(?:\.\d+)?/g) ?? []) product *= Math.max(1, Number(digits));
    if (product > 10_000) return false;
  }
  return true;
}

function exponentAt(text: string, start: number): string {
  if (text.charAt(start) !== '{') return text.charAt(start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text.charAt(at) === '{') depth++;
    if (text.charAt(at) === '}' && --depth === 0) return text.slice(start, at);
  }
  return text.slice(start);
}
