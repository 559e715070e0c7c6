/** Which expressions may the compute engine read? And which formulas are equal without it: chemical ones, and those whose terms stand in another order? */
import { splitTopLevel } from './brackets.ts';
import { hasWord } from './words.ts';

const ELEMENT =
  '(?:A[cglmrstu]|B[aehikr]?|C[adeflmnorsu]?|D[bsy]|E[rsu]|F[elmr]?|G[ade]|H[efgos]?|I[nr]?|Kr?|L[airuv]|M[cdgnot]|N[abdehiop]?|O[gs]?|P[abdmortu]?|R[abefghnu]|S[bcegimnr]?|T[abcehilms]|U|V|W|Xe|Yb?|Z[nr])';
const GROUP = `(?:${ELEMENT}\\d{0,3})`;
const FORMULA = new RegExp(
  `^\\d{0,3}(?:${GROUP}|[([]${GROUP}+[)\\]]\\d{0,3})+(?:\\^\\d?[+-])?(?:\\((?:s|l|g|aq)\\))?$`,
);

/**
 * A chemical formula in one spelling: `H_{2}O`, `\text{H}_{2}\text{O}` and `\ce{H2O}` are `H2O`. Null for texts that are none, and for those
 * without a subscript, which may be a product of variables.
 */
export function chemicalFormula(text: string): string | null {
  if (!/[A-Z]/.test(text) || !/\d|\^\{?\d?[+-]/.test(text) || text.length > 80) return null;
  const plain = text
    .replace(/\\(?:ce|text|mathrm)\s*\{([^{}]*)\}/g, '$1')
    .replace(/\\(?:ce|text|mathrm)\s*\{(.*)\}$/, '$1')
    .replace(/ *_ *(?:\{(\d+)\}|(\d))/g, '$1$2')
    .replace(/\^\{([^{}]*)\}/g, '^$1')
    .replace(/ (?=[A-Z(^])/g, '');
  if (!FORMULA.test(plain) || !/[A-Za-z)\]]\d|\^/.test(plain)) return null;
  return plain.replace(/\[/g, '(').replace(/\]/g, ')');
}

/** Sums, products, fractions, roots and powers of numbers and small letters, in which the order of terms and factors does not matter. */
const ARITHMETIC = /^(?:[\d a-z+^{}().!-]|\\(?:frac|cdot|times|sqrt|pi|binom)(?![a-zA-Z]))*$/;

/** Whether two formulas differ only in the order of their terms and factors. */
export function sameTerms(a: string, b: string): boolean {
  return ARITHMETIC.test(a) && ARITHMETIC.test(b) && inOrder(a) === inOrder(b);
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

/** Whether two formulas with such products differ only in the order of their terms. */
export function sameTermsOfMatrices(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => {
    const terms = splitTopLevel(text.replace(/\\cdot ?| /g, '').replace(/(?<=[^+^{-])-/g, '+-'), '+');
    return terms?.toSorted().join('+') ?? text;
  });
  return left === right;
}

/** The formula with its terms and factors in the order of the alphabet, from the inside out. */
function inOrder(text: string, depth = 0): string {
  if (depth > 20) return text;
  let inside = '';
  let start = 0;
  let level = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if ('({'.includes(char) && level++ === 0) {
      inside += text.slice(start, at + 1);
      start = at + 1;
    } else if (')}'.includes(char) && --level === 0) {
      inside += inOrder(text.slice(start, at), depth + 1);
      start = at;
    }
  }
  inside += text.slice(start);
  const terms = splitTopLevel(inside.replace(/(?<=[^+^-])-/g, '+-'), '+');
  if (terms === null) return inside;
  return terms.map(factorsInOrder).toSorted().join('+');
}

function factorsInOrder(term: string): string {
  const sign = term.startsWith('-') ? '-' : '';
  const factors = splitTopLevel(term.slice(sign.length).replace(/\\(?:cdot|times) ?/g, '\u0001'), '\u0001');
  return factors === null
    ? term
    : `${sign}${factors
        .map((factor) => factor.trim())
        .toSorted()
        .join('\\cdot ')}`;
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
