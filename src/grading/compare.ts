/** When are two answers equal? The order of the rules is that of docs/grading.md. */
import { enclosed, engineMayRead, isMatrixProduct, ITEM_SEPARATORS, splitTopLevel } from './expression.ts';
import {
  compareRelations,
  dropApproximation,
  parseRelation,
  sameTerms,
  sameTermsOfMatrices,
} from './formula.ts';
import { allOf, anyOf, type Equality } from './engine.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';
import { equalRationals, parseBaseNumeral, parseRational } from './numbers.ts';
import { caseCounts, hasWord, wordKey } from './words.ts';
import { compareMatrices, compareSequences, parseMatrix, parseSequence } from './sequence.ts';
import { parseCompound, parseSize, type Quantity, SHORT_UNITS, splitUnit } from './quantity.ts';
import { sameUnit } from './units.ts';

const DEEPEST = 8;

/**
 * Whether two answers are equal, or the questions for the compute engine that decide it. Symmetric: `compare(a, b)` and `compare(b, a)`
 * ask the engine the same.
 */
export function compare(a: string, b: string, depth = 0): Equality {
  if (a.trim() === '' || b.trim() === '') return false;
  if (a.length > LONGEST_ANSWER || b.length > LONGEST_ANSWER) return a.trim() === b.trim();
  const left = normalise(a);
  const right = normalise(b);
  return compareNormalised(left, right, depth);
}

const DIVISION_BY_ZERO = /^\\frac\{[^{}]*\}\{-?[0.]*0[0.]*\}$|^[^/]*\/-?[0.]*0[0.]*$/;

/** Like `compare`, for two answers that are already normalised. */
export function compareNormalised(left: string, right: string, depth = 0): Equality {
  if (left === '' || right === '' || depth > DEEPEST) return left !== '' && left === right;
  if (DIVISION_BY_ZERO.test(left) || DIVISION_BY_ZERO.test(right)) return false;
  if (left === right) return true;
  const words = compareWords(left, right);
  if (words !== null) return words;
  const recurse = (a: string, b: string): Equality =>
    compareNormalised(normalise(a), normalise(b), depth + 1);
  const [simpleLeft, simpleRight] = [simplified(left), simplified(right)];
  if (simpleLeft !== left || simpleRight !== right) return recurse(simpleLeft, simpleRight);

  const sizes = compareSizes(left, right, recurse);
  if (sizes !== null) return sizes;
  const [one, two] = quantities(left, right);
  if (!agreeInUnit(one, two)) return false;
  if ((one.unit === null) !== (two.unit === null)) {
    // The other unit may stand inside: "x = 5 cm" is not "5 m".
    const named = compareNamed(left, right, recurse);
    if (named !== null) return named;
    if (hasWord((one.unit === null ? one : two).value)) return false;
  }
  if (one.value !== left || two.value !== right) return recurse(one.value, two.value);

  return (
    compareNumbers(left, right) ??
    compareCompounds(left, right) ??
    compareMatrices(parseMatrix(left), parseMatrix(right), recurse) ??
    compareRelations(parseRelation(left), parseRelation(right), [left, right], recurse) ??
    compareSequences(parseSequence(left), parseSequence(right), recurse) ??
    compareExpressions(left, right)
  );
}

/** The values and units of two answers. A letter is a unit only beside another stated unit: `5 m` and `5 meters`. */
function quantities(left: string, right: string): [Quantity, Quantity] {
  const [one, two] = [splitUnit(left), splitUnit(right)];
  if (one.unit !== null && two.unit === null) return [one, splitUnit(right, true)];
  if (one.unit === null && two.unit !== null) return [splitUnit(left, true), two];
  return isTimeOfDay(one) && isTimeOfDay(two) ? [hour(one), hour(two)] : [one, two];
}

/** The comparison of a named value with a value alone; null when both or neither is an equation. */
function compareNamed(
  left: string,
  right: string,
  recurse: (a: string, b: string) => Equality,
): Equality | null {
  const [a, b] = [parseRelation(left), parseRelation(right)];
  return (a === null) === (b === null) ? null : compareRelations(a, b, [left, right], recurse);
}

/** Compares sizes side by side: `3\times4\text{ cm}` and `3 cm\times4 cm`. Null unless both are sizes. */
function compareSizes(
  left: string,
  right: string,
  recurse: (a: string, b: string) => Equality,
): Equality | null {
  const [a, b] = [parseSize(left), parseSize(right)];
  if (a === null || b === null) return null;
  if (a.length !== b.length) return false;
  return allOf(
    a.map((one, at) => {
      const two = b[at] ?? one;
      return agreeInUnit(one, two) && recurse(one.value, two.value);
    }),
  );
}

/** Compares quantities of several units part by part: `5 ft 3 in` and `5 feet 3 inches`. Null unless both are some. */
function compareCompounds(left: string, right: string): boolean | null {
  const [a, b] = [parseCompound(left), parseCompound(right)];
  return a === null || b === null ? null : a === b;
}

function isTimeOfDay({ unit }: Quantity): boolean {
  return unit !== null && unit.noun === null && /^[ap]m$/.test(unit.meanings.join());
}

/** 04:00 p.m. is written as 4 p.m. */
function hour({ value, unit }: Quantity): Quantity {
  return { value: value.replace(/^0(?=\d)/, '').replace(/:00$/, ''), unit };
}

function agreeInUnit({ unit: one }: Quantity, { unit: two }: Quantity): boolean {
  if (one !== null && two !== null) return sameUnit(one, two);
  return one?.needed !== true && two?.needed !== true;
}

/** A text without the approximation after an exact value, and without brackets around a single value: `(5)`, `\\{5\\}`, `{5}`. */
function simplified(text: string): string {
  const exact = dropApproximation(text);
  const bracket = enclosed(exact);
  if (bracket === null || bracket.open === '[' || bracket.close === ']') return exact;
  // The set of the empty set is not the empty set.
  if (exact.startsWith('\\{') && /^\\(?:\{|emptyset)/.test(bracket.inside)) return exact;
  return splitTopLevel(bracket.inside, ITEM_SEPARATORS)?.length === 1 && bracket.inside.trim() !== ''
    ? bracket.inside
    : exact;
}

function compareWords(left: string, right: string): boolean | null {
  if (left.length === 1 && right.length === 1) {
    return /^[A-Da-d]$/.test(left) && left.toLowerCase() === right.toLowerCase() ? true : null;
  }
  const leftIsText = /^\\text\{[^{}]*\}$/.test(left);
  const rightIsText = /^\\text\{[^{}]*\}$/.test(right);
  if (!leftIsText && !rightIsText) return null;
  return wordKey(leftIsText ? left : `\\text{${left}}`) === wordKey(rightIsText ? right : `\\text{${right}}`);
}

function compareNumbers(left: string, right: string): boolean | null {
  const baseLeft = parseBaseNumeral(left);
  const baseRight = parseBaseNumeral(right);
  if (baseLeft !== null || baseRight !== null) {
    return baseLeft?.base === baseRight?.base && baseLeft?.value === baseRight?.value;
  }
  const a = parseRational(left);
  const b = parseRational(right);
  if (a !== null && b !== null) return equalRationals(a, b);
  const expression = a === null ? left : right;
  return (a?.wholeLiteral || b?.wholeLiteral) &&
    parseSequence(expression) === null &&
    parseRelation(expression) === null
    ? false
    : null;
}

function compareExpressions(left: string, right: string): Equality {
  if (isProse(left) && isProse(right)) {
    return prose(left) === prose(right) && !(caseCounts(left) && caseCounts(right));
  }
  if (LETTERS.test(left) && LETTERS.test(right) && (isAbbreviation(left) || isAbbreviation(right)))
    return false;
  if (NOT_WORKED_OUT.test(left) || NOT_WORKED_OUT.test(right)) {
    return left.replaceAll('\\times', '\\cdot') === right.replaceAll('\\times', '\\cdot');
  }
  if (isMatrixProduct(left) || isMatrixProduct(right)) return sameTermsOfMatrices(left, right);
  if (LETTER_SIZE.test(left) && LETTER_SIZE.test(right)) return false;
  const [a, b] = [exactFraction(left), exactFraction(right)];
  // Two orders of the same terms need no computing, and the engine cannot compute the greatest powers.
  if (sameTerms(a, b)) return true;
  return engineMayRead(a) && engineMayRead(b) ? { ask: { relation: 'equal', a, b } } : false;
}

const LETTERS = /^[A-Za-z ]+$/;

/**
 * Whether letters alone are a word and no product: two letters with a capital (`UK`, `kJ`, `pH`), the sign of a unit (`cm`), and Roman
 * numerals. `UK` is not `KU`, but the product `xy` is `yx`.
 */
function isAbbreviation(letters: string): boolean {
  const two = letters.replace(' ', '');
  return two.length === 2 ? two !== two.toLowerCase() || SHORT_UNITS.has(two) : ROMAN_NUMERAL.test(letters);
}

const ROMAN_NUMERAL = /^(?=.*[IVX])M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[VX]|V?I{0,3})$/;

/** `3-2` may be a score, `2020-01-02` a day and `2\times6` a size: other numbers with the same value would mean something else. */
const NOT_WORKED_OUT =
  /^\d+(?:(?:\.\d+)?(?:-\d+(?:\.\d+)?)+|(?:\/\d+){2,}|(?:\\(?:times|cdot) ?\d+)+)$|^(?:\(\d+\)){2,}$/;

/** `m\times n` may be a size, or a product of sets. */
const LETTER_SIZE = /^[A-Za-z](?:\\times ?[A-Za-z])+$/;

/** A number as one fraction, because the engine reads `1 2/3` as 12/3 and may read `1\frac{2}{3}` as a product. */
function exactFraction(text: string): string {
  const value = parseRational(text);
  return value === null ? text : `\\frac{${value.numerator}}{${value.denominator}}`;
}

/** Whether a text has words, as a date has. Such texts are equal when they differ only in case and spacing. */
function isProse(text: string): boolean {
  return /[a-zA-Z]{3}/.test(text.replace(/\\(?!text)[a-zA-Z]+/g, ''));
}

function prose(text: string): string {
  return text
    .replace(/\\text\{([^{}]*)\}/g, '$1')
    .replace(/\s/g, '')
    .toLowerCase();
}

/** A choice of a multiple choice question, with its letter and its text: `(B) Paris`, `B. Paris`, `\textbf{(B)}\ 12`. */
type Choice = { readonly letter: string; readonly text: string };

/** Whether an answer names a choice by letter and text. A letter alone is an answer like any other. */
export function isChoice(answer: string): boolean {
  return parseChoice(answer) !== null;
}

/**
 * Like `compare`, when at least one of the two is a choice. A choice and a letter are compared by letter, so that `(C) A` is not the answer
 * `A`; a choice and another answer by text; two choices by letter and text. Symmetric.
 */
export function compareChoices(a: string, b: string): Equality {
  const [left, right] = [parseChoice(a), parseChoice(b)];
  if (left === null && right === null) return compare(a, b);
  if (left !== null && right !== null) {
    const same = allOf([left.letter === right.letter, compare(left.text, right.text)]);
    // `E. coli` looks like a choice, and may be the text of a choice.
    return anyOf([compare(a, b), same, compare(a, right.text), compare(left.text, b)]);
  }
  const [choice, other] = left === null ? [right, a] : [left, b];
  const letter = letterAlone(other);
  if (choice === null) return false;
  // "A cat" may be the choice A.
  if (/^A\s/.test(other) && choice.letter !== 'A') return choice.text.trim() === other.trim();
  return letter === null ? anyOf([compare(choice.text, other), compare(a, b)]) : letter === choice.letter;
}

const COMMAND = String.raw`\\(?:text|textbf|textrm|textit|mathbf|mathrm|mbox)\s*\{`;
/**
 * A letter that is a label: in brackets, before a bracket, before a full stop or a colon that a blank follows, or before a dash and words.
 */
const LABEL = String.raw`(?:(?:[Oo]ption|[Cc]hoice)\s+)?(?:\(([A-J])\)|\[([A-J])\]|([A-J])(?:\)|[.:](?=\s)|\s+[-–—](?=\s+[A-Za-z][a-z]{2})))`;
const LABELLED = new RegExp(String.raw`^(?:${COMMAND}\s*${LABEL}\s*\}|${LABEL})\s+(\S.*)$`, 's');
const LABELLED_IN_TEXT = new RegExp(String.raw`^(${COMMAND})\s*${LABEL}\s+(\S[^{}]*\})$`, 's');
/** An operator after a letter shows that the letter belongs to a formula and is not a label: `(A) \cup (B)`. */
const OPERATOR =
  /^(?:[+*/=^_<>|&,;:.!]|-(?=\s)|\\(?:cup|cap|cdot|times|to|le|ge|ne|in|sub|sup|wedge|vee|pm)\b)/;
/** A second label shows that the answer is a list of parts and not a choice. */
const ANOTHER = /(?:^|[\s,;{])(?:\([A-J]\)|[A-J]\))/;

function parseChoice(answer: string): Choice | null {
  const beginning = answer.slice(0, 40).replace(/[*`]/g, '');
  if (!/[A-J](?:[).:\]]|\s+[-–—])/.test(beginning)) return null;
  const plain = withoutMarks(answer);
  const inside = LABELLED_IN_TEXT.exec(plain);
  const found = inside === null ? LABELLED.exec(plain) : null;
  const letter = (inside?.slice(2, 5) ?? found?.slice(1, 7))?.find((part) => part !== undefined);
  const text = inside === null ? found?.[7] : `${inside[1]}${inside[5]}`;
  if (letter === undefined || text === undefined || OPERATOR.test(text) || ANOTHER.test(text)) return null;
  return { letter, text };
}

const ALONE = new RegExp(
  String.raw`^(?:(?:the\s+)?(?:correct\s+|right\s+|final\s+)?(?:option|choice|answer)(?:\s+is|:)?\s+)?(?:${COMMAND}\s*)?[([{<]?([A-Ja-j])[)\]}>]?[.:]?\s*\}?[.:]?$`,
  'i',
);

function letterAlone(answer: string): string | null {
  return ALONE.exec(withoutMarks(answer))?.[1]?.toUpperCase() ?? null;
}

/** The answer without a box, Markdown, dollar signs and TeX's blanks. */
function withoutMarks(answer: string): string {
  return answer
    .replace(/\*\*|`|(?<!\\)\$/g, '')
    .replace(/\\(?:[ ,;:]|quad\b)|~/g, ' ')
    .trim()
    .replace(/^\\(?:boxed|fbox)\s*\{(.*)\}$/s, '$1')
    .trim();
}
