import { setImmediate as others } from 'node:timers/promises';
import { holm } from '../../algorithm/measures/tests.ts';
import { compare, type PairedDifference } from './compare.ts';
import type { Contender, RowKey } from './contender.ts';

/** When methods are compared: after one iteration, which is the paper's setting, or after the last that both have. */
export type Moment = 'first' | 'last';

/** The study's reference method against another one of the same column. */
export type Comparison = PairedDifference & {
  readonly column: string;
  readonly moment: Moment;
  readonly reference: RowKey;
  readonly other: RowKey;
  /** After which iteration each stands; 0 for what learns nothing. */
  readonly iterations: { readonly reference: number; readonly other: number };
  /** Holm's adjusted p-value, over all comparisons of this moment in all columns. */
  readonly adjusted: number;
};
type Uncorrected = Omit<Comparison, 'adjusted'>;

/**
 * Compares the reference with each other row of a column, at both moments; only at the first where the two are the same. Lets other work
 * of this process go on in between, as heartbeats.
 */
export async function compareAll(
  column: string,
  rows: readonly Contender[],
  reference: RowKey,
): Promise<Uncorrected[]> {
  const own = rows.find(({ key }) => key === reference);
  if (own === undefined) return [];
  const found: Uncorrected[] = [];
  for (const other of rows) {
    if (other.key === reference) continue;
    for (const { moment, iterations } of moments(own, other)) {
      await others();
      const scores = { own: own.scores[iterations.reference], other: other.scores[iterations.other] };
      if (scores.own === undefined || scores.other === undefined) continue;
      const purpose = [column, moment, reference, other.key].join(' ');
      const difference = compare(scores.own, scores.other, purpose);
      if (difference !== null)
        found.push({ column, moment, reference, other: other.key, iterations, ...difference });
    }
  }
  return found;
}

/** Each moment is a table of its own, and corrected as one. */
export function withHolm(comparisons: readonly Uncorrected[]): Comparison[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const table = comparisons.filter((each) => each.moment === moment);
    const adjusted = holm(table.map(({ pValue }) => pValue));
    return table.map((each, index) => ({ ...each, adjusted: adjusted[index] ?? 1 }));
  });
}

function moments(own: Contender, other: Contender) {
  const last = Math.min(
    ...[own, other].filter(({ learns }) => learns).map(({ scores }) => scores.length - 1),
  );
  const at = (iteration: number) => ({
    reference: own.learns ? iteration : 0,
    other: other.learns ? iteration : 0,
  });
  if (!own.learns && !other.learns) return [{ moment: 'first' as const, iterations: at(0) }];
  const first = { moment: 'first' as const, iterations: at(Math.min(1, last)) };
  return last > 1 ? [first, { moment: 'last' as const, iterations: at(last) }] : [first];
}
