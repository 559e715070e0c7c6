/** When are two answers with several values equal: lists, intervals, sets, matrices? */
import { enclosed, ITEM_SEPARATORS, OR, splitTopLevel } from './expression.ts';
import { allOf, type Equality } from './engine.ts';

/** Several values in one answer. `open` and `close` are the brackets, empty for a list without brackets. */
export interface Sequence {
  readonly open: string;
  readonly close: string;
  readonly unordered: boolean;
  readonly items: readonly string[];
  /** Whether an "or" stands between the items. */
  readonly alternatives?: boolean;
}

/**
 * Reads a list `1, 2`, a tuple or an interval `(1,2]`, a set `\{1,2\}`, a union or an intersection (`A\cup B`), and `1\pm\sqrt{2}` (two values).
 * Null for a single value; `(5)` and `{5}` are single values.
 */
export function parseSequence(text: string): Sequence | null {
  for (const operation of ['cup', 'cap']) {
    if (!text.includes(`\\${operation}`)) continue;
    const sets = splitTopLevel(text.replaceAll(`\\${operation}`, '\u0001'), '\u0001');
    if (sets !== null && sets.length > 1)
      return { open: operation, close: operation, unordered: true, items: sets };
  }

  const vector = /^\\langle(.*)\\rangle$/s.exec(text);
  const components = vector === null ? null : items(vector[1] ?? '');
  if (components !== null && components.length > 1) return sequence('<', '>', false, components);
  const list = items(text);
  if (list !== null && list.length > 1) {
    const groups = text.includes(OR) ? (splitTopLevel(text, OR) ?? []) : [];
    return {
      ...sequence('', '', groups.length > 1, inGroups(groups) ? groups : list),
      alternatives: groups.length > 1,
    };
  }
  const reversed = /^([\][(])(.*)([\][)])$/s.exec(text);
  if (reversed !== null && (text.startsWith(']') || text.endsWith('['))) {
    const inner = items(reversed[2] ?? '');
    const [open, close] = [reversed[1] === '[' ? '[' : '(', reversed[3] === ']' ? ']' : ')'];
    return inner?.length === 2 ? sequence(open, close, false, inner) : null;
  }
  const bracket = enclosed(text);
  if (bracket === null) return expandable(text) ? sequence('', '', false, [text]) : null;
  const inner = items(bracket.inside);
  if (inner === null) return null;
  if (bracket.open === '{')
    return text.startsWith('\\{') || inner.length > 1 ? set(bracket.inside, inner) : null;
  return inner.length > 1
    ? { open: bracket.open, close: bracket.close, unordered: false, items: inner }
    : null;
}

/** Whether alternatives have several values each: `x=1, y=2 or x=3, y=4`. In `2, 3 or 4` each value is an alternative. */
function inGroups(groups: readonly string[]): boolean {
  const sizes = groups.map((group) => items(group)?.length ?? 0);
  return sizes.length > 1 && sizes.every((size) => size > 1 && size === sizes[0]);
}

/** Compares item by item, or in any order; null when neither is a sequence. Sequences with different brackets are not equal. */
export function compareSequences(
  a: Sequence | null,
  b: Sequence | null,
  recurse: (a: string, b: string) => Equality,
): Equality | null {
  if (a === null && b === null) return null;
  if (a === null || b === null) return false;
  const bareAndSet = (a.open === '' && b.open === '{') || (a.open === '{' && b.open === '');
  if (!bareAndSet && (a.open !== b.open || a.close !== b.close)) return false;
  // An element {1} of a set is not the element 1.
  const item = (one: string, two: string): Equality =>
    one.startsWith('\\{') !== two.startsWith('\\{') ? false : recurse(one, two);
  if (a.items.length !== b.items.length || a.items.length > MOST_ITEMS) return false;
  if ((a.alternatives === true) !== (b.alternatives === true) && !mayBeAlternatives([...a.items, ...b.items]))
    return false;
  if (a.unordered || b.unordered || (areStatements(a) && areStatements(b))) {
    return pairing(a.items, b.items, item);
  }
  return allOf(a.items.map((one, index) => item(one, b.items[index] ?? '')));
}

/**
 * Whether a list of these may mean the same as their alternatives: it does for the values of one name (`x=1, x=2`), but "x > 2 and x < 5" is
 * not "x > 2 or x < 5", and `x=1, y=2` is not "x=1 or y=2".
 */
function mayBeAlternatives(list: readonly string[]): boolean {
  if (list.some((item) => isCondition(item) || /^[A-J]$/.test(item))) return false;
  return new Set(list.map(nameOf).filter((name) => name !== '')).size <= 1;
}

/** The name in front of the value of an item, as in `x=1`; empty when there is none. */
function nameOf(item: string): string {
  return /^([^=<>]+)=[^=]/.exec(item)?.[1]?.trim() ?? '';
}

const MOST_ITEMS = 40;

function pairing(
  a: readonly string[],
  b: readonly string[],
  recurse: (a: string, b: string) => Equality,
): Equality {
  return { pairing: a.map((one) => b.map((two) => recurse(one, two))) };
}

/**
 * Whether the order of the items does not matter because each states something: values with names of their own (`x=1, y=2`), several values
 * of one name (`a=1, a=-2`), or conditions (`x>2, x<5`). In `x=1, y=2, x=3, y=4` the order shows which belong together.
 */
function areStatements({ open, items: list }: Sequence): boolean {
  if (open !== '') return false;
  if (list.every(isCondition)) return true;
  const names = list.map(nameOf);
  const different = new Set(names).size;
  return !names.includes('') && (different === 1 || different === names.length);
}

/** An inequality or a membership. */
function isCondition(item: string): boolean {
  return /[<>]|\\(?:le|ge|ne|in|notin)(?![a-zA-Z])/.test(item);
}

function items(text: string): string[] | null {
  return splitTopLevel(text, ITEM_SEPARATORS)?.map((item) => item.trim()) ?? null;
}

function sequence(open: string, close: string, unordered: boolean, list: readonly string[]): Sequence {
  const expanded = list.flatMap(expandPlusMinus);
  return { open, close, unordered: unordered || expanded.length > list.length, items: expanded };
}

function set(inside: string, inner: readonly string[]): Sequence {
  return sequence('{', '}', true, inside.trim() === '' ? [] : inner);
}

function expandable(text: string): boolean {
  return expandPlusMinus(text).length > 1;
}

/** Writes `a\pm b` as the two values `a+b` and `a-b`. A value with several signs stays, because its signs may belong together. */
function expandPlusMinus(text: string): string[] {
  const parts = text.split('\\pm');
  const [before = '', after = ''] = parts;
  if (parts.length !== 2 || text.includes('\\mp')) return [text];
  const plus = /[^=({[,\s]\s*$/.test(before) ? '+' : '';
  return [`${before}${plus}${after.trimStart()}`, `${before}-${after.trimStart()}`];
}

/** A matrix, a system of equations (`cases`) or a determinant: rows of cells. */
export interface Matrix {
  readonly kind: 'matrix' | 'cases' | 'determinant' | 'norm';
  readonly rows: readonly (readonly string[])[];
}

/** Reads `\begin{pmatrix}…\end{pmatrix}` and similar environments. The brackets around a matrix do not matter. */
export function parseMatrix(text: string): Matrix | null {
  const match = /^[[(]?\\begin\{([a-zA-Z]*)\*?\}(?:\{[lcr| ]*\})?(.*)\\end\{[a-zA-Z]*\*?\}[\])]?$/s.exec(
    text,
  );
  const kind = match === null ? undefined : KINDS.get(match[1] ?? '');
  const body = match?.[2] ?? '';
  if (kind === undefined || body.includes('\\begin')) return null;
  const rows = body
    .replace(/\\hline/g, '')
    .split(/\\\\/)
    .map((row) => row.trim())
    .filter((row) => row !== '');
  return {
    kind,
    rows: rows.map((row) =>
      kind === 'cases' ? [row.replaceAll('&', '')] : (splitTopLevel(row, '&') ?? [row]),
    ),
  };
}

/** Compares cell by cell; null when neither is a matrix. Only a matrix can equal a matrix: a sum of matrices is not computed. */
export function compareMatrices(
  a: Matrix | null,
  b: Matrix | null,
  recurse: (a: string, b: string) => Equality,
): Equality | null {
  if (a === null && b === null) return null;
  if (a === null || b === null || a.kind !== b.kind || a.rows.length !== b.rows.length) return false;
  const columns = b.rows;
  if (a.kind === 'cases') {
    return { pairing: a.rows.map(([one = '']) => columns.map(([two = '']) => recurse(one, two))) };
  }
  return allOf(
    a.rows.flatMap((row, index) => {
      const other = columns[index] ?? [];
      return row.length === other.length
        ? row.map((cell, column) => recurse(cell, other[column] ?? ''))
        : [false];
    }),
  );
}

const KINDS: ReadonlyMap<string, Matrix['kind']> = new Map<string, Matrix['kind']>(
  Object.entries({
    matrix: 'matrix',
    pmatrix: 'matrix',
    bmatrix: 'matrix',
    Bmatrix: 'matrix',
    smallmatrix: 'matrix',
    array: 'matrix',
    cases: 'cases',
    aligned: 'cases',
    vmatrix: 'determinant',
    Vmatrix: 'norm',
  } as const),
);
