import { splitTopLevel } from './brackets.ts';
import { allOf, type Verdict } from './verdict.ts';

/** A matrix, a system of equations (`cases`) or a determinant, as written: rows of cells. */
export interface Matrix {
  readonly kind: 'matrix' | 'cases' | 'determinant' | 'norm';
  readonly rows: readonly (readonly string[])[];
}

/** Reads `\begin{pmatrix}…\end{pmatrix}` and its relatives; the kind of bracket around a matrix does not matter. */
export function parseMatrix(text: string): Matrix | null {
  const match = /^[[(]?\\begin\{([a-zA-Z]*)\*?\}(?:\{[lcr|]*\})?(.*)\\end\{[a-zA-Z]*\*?\}[\])]?$/s.exec(text);
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

/** Cell by cell; null when neither is a matrix. A matrix equals nothing but a matrix, a sum of matrices is not worked out. */
export function compareMatrices(
  a: Matrix | null,
  b: Matrix | null,
  recurse: (a: string, b: string) => Verdict,
): Verdict | null {
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
