/** When are two equations, inequalities or named values equal, two chemical formulas, and two formulas of arithmetic whose terms stand in another order? */
import { engineMayRead, ITEM_SEPARATORS, splitTopLevel } from './expression.ts';
import { allOf, anyOf, type EngineQuestion, type Equality } from './engine.ts';

/** Terms joined by relation signs that all have the same direction: `2 < x \le 5`, or `x = 5`. There is one term more than signs. */
export interface Relation {
  readonly terms: readonly string[];
  readonly signs: readonly string[];
}

/** Reads equations, inequalities (turned so that their sign is `<` or `\le`), `\ne` and `\in`; null for a single expression and for a list. */
export function parseRelation(text: string): Relation | null {
  if (splitTopLevel(text, ITEM_SEPARATORS)?.length !== 1) return null;
  const marked = text.replace(/\\(le|ge|ne|in)(?![a-zA-Z])/g, (_, name: string) => MARKS[name] ?? '');
  const terms = splitTopLevel(marked, SEPARATORS)?.map((term) => term.trim());
  if (terms === undefined || terms.length < 2) return null;
  const signs = signsBetween(marked, terms);
  if (!signs.some((sign) => sign in TURNED)) return { terms, signs };
  if (signs.some((sign) => !(sign in TURNED) && sign !== '=')) return null;
  return { terms: terms.toReversed(), signs: signs.map((sign) => TURNED[sign] ?? sign).toReversed() };
}

/**
 * A named value equals the value alone (`x=5`, `f(x)=5`, `5`). Two values with the same name are compared by value. Equations may differ
 * by a constant factor, inequalities by a positive one. Null when neither is a relation.
 */
export function compareRelations(
  a: Relation | null,
  b: Relation | null,
  whole: readonly [string, string],
  recurse: (a: string, b: string) => Equality,
): Equality | null {
  if (a === null && b === null) return null;
  const one = a === null ? null : namedValue(a);
  const two = b === null ? null : namedValue(b);
  if (a === null) return two === null ? false : recurse(whole[0], two.value);
  if (b === null) return one === null ? false : recurse(one.value, whole[1]);
  if (one !== null && two !== null && one.name === two.name) return recurse(one.value, two.value);
  if (a.signs.join() !== b.signs.join()) return false;
  const termwise = allOf(a.terms.map((term, index) => recurse(term, b.terms[index] ?? '')));
  const sign = a.signs.length === 1 ? (a.signs[0] ?? '') : '';
  if (sign === '' || sign === IN) return termwise;
  const symmetric = sign === '=' || sign === NE;
  const swapped = symmetric && allOf(a.terms.map((term, index) => recurse(term, b.terms[1 - index] ?? '')));
  return anyOf([termwise, swapped, proportional(a, b, symmetric)]);
}

/** Writes `x \approx 5` as `x=5`, and removes the approximation after an exact value: `\frac{\sqrt{3}}{3} \approx 0.577`. */
export function dropApproximation(text: string): string {
  const at = text.search(/\\(?:approx|simeq|cong|doteq)(?![a-zA-Z])/);
  if (at <= 0) return text;
  const [exact, rounded] = [
    text.slice(0, at).trim(),
    text
      .slice(at)
      .replace(/^\\[a-z]+/, '')
      .trim(),
  ];
  return isName(exact) ? `${exact}=${rounded}` : exact;
}

const [LE, GE, NE, IN] = ['\u0002', '\u0003', '\u0004', '\u0005'];
const SEPARATORS = `=<>${LE}${GE}${NE}${IN}`;
const MARKS: Readonly<Record<string, string>> = { le: LE, ge: GE, ne: NE, in: IN };
const TURNED: Readonly<Record<string, string>> = { '>': '<', [GE]: LE };

function signsBetween(marked: string, terms: readonly string[]): string[] {
  const signs: string[] = [];
  let at = 0;
  for (const term of terms.slice(0, -1)) {
    at = marked.indexOf(term, at) + term.length;
    while (!SEPARATORS.includes(marked.charAt(at))) at++;
    signs.push(marked.charAt(at));
    at++;
  }
  return signs;
}

function namedValue(relation: Relation): { name: string; value: string } | null {
  const [first = ''] = relation.terms;
  const last = relation.terms.at(-1) ?? '';
  if (relation.signs.some((sign) => sign !== '=')) return null;
  // In `x=y=3` both x and y are 3.
  const names = relation.terms.slice(0, -1).filter(isName);
  if (isName(first)) return { name: names.toSorted().join('='), value: last };
  return relation.terms.length === 2 && isName(last) ? { name: last, value: first } : null;
}

const SYMBOL =
  "(?:[A-Za-z]|\\\\(?:alpha|beta|gamma|delta|theta|lambda|mu|rho|sigma|phi|omega|Delta|angle ?[A-Z]*|triangle ?[A-Z]*))'*(?:_\\{[^{}]*\\})?'*";
const POINTS = "(?:[A-Z]'*(?:_\\{[^{}]*\\})?){2,5}";
const NAME = new RegExp(
  [
    SYMBOL,
    `${SYMBOL}(?:\\^\\{-1\\})?\\([^()]{1,20}\\)`,
    POINTS,
    `[a-z]_\\{[^{}]*\\}`,
    `(?:${SYMBOL}|${POINTS}):(?:${SYMBOL}|${POINTS})`,
    `\\|${POINTS}\\||\\[${POINTS}\\]|m?\\\\angle ?${POINTS}|\\\\overline\\{${POINTS}\\}|\\\\vec\\{${POINTS}\\}`,
    `\\\\frac\\{${POINTS}\\}\\{${POINTS}\\}|\\\\frac\\{d[a-z]\\}\\{d[a-z]\\}`,
    '\\\\(?:mathbf|vec)\\{[A-Za-z]\\}',
    `\\((?:${SYMBOL}, ?)+${SYMBOL}\\)`,
    `\\\\(?:sin|cos|tan) ?(?:${SYMBOL}|\\(${SYMBOL}\\)|\\\\angle ?${POINTS})`,
    `[A-Za-z]{3,}|(?:[A-Za-z]+ )*[A-Za-z]* ?\\\\text\\{[^{}\\d]*\\}(?:_\\{[^{}]*\\})?`,
  ]
    .map((form) => `(?:${form})`)
    .join('|')
    .replace(/^(.*)$/s, '^(?:$1)$'),
);

/** Whether a term is only the name of a quantity (`x`, `a_{37}`, `f(x)`, `|AB|`, `(p, q)`, `V_{1}:V_{2}`), so that its value is the answer. */
function isName(term: string): boolean {
  return term.length <= 60 && NAME.test(term) && term !== 'e' && term !== 'i';
}

function proportional(a: Relation, b: Relation, symmetric: boolean): Equality {
  const terms = [...a.terms, ...b.terms];
  if (!terms.every(engineMayRead)) return false;
  const relation: EngineQuestion['relation'] = symmetric ? 'proportional' : 'positively proportional';
  return { ask: { relation, a: difference(a), b: difference(b) } };
}

function difference({ terms: [left = '', right = ''] }: Relation): string {
  return `(${right})-(${left})`;
}

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

/** Whether two formulas with products of matrices differ only in the order of their terms. */
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
