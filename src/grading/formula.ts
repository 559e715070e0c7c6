/** When are two chemical formulas equal, and two formulas of arithmetic whose terms stand in another order? */
import { splitTopLevel } from './brackets.ts';

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
