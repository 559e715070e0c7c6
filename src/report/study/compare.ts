import {
  bootstrapDifference,
  type DifferenceInterval,
  type PairedTest,
  pairedTest,
} from '../../algorithm/measures/tests.ts';
import type { Scores } from './score.ts';

/** How much one set of scores is above another on the units that both have: 0..1, positive when the first is better. */
export type PairedDifference = DifferenceInterval & PairedTest & { readonly units: number };

/**
 * How often units are drawn anew. 4,000 leave the ends of a 95 % interval uncertain by some 3 % of its length, and a study has a
 * hundred of them.
 */
export const resamples = 4_000;

/**
 * Two sets of scores on the same units: the difference with its paired 95 % bootstrap interval, and McNemar's exact test of the answers
 * given. Seeds are pooled: a unit is a question of one seed. Null when no unit is in both.
 *
 * @param purpose names the comparison, so that each has draws of its own
 */
export function compare(first: Scores, second: Scores, purpose: string): PairedDifference | null {
  const pairs = [...first].flatMap(([unit, own]) => {
    const other = second.get(unit);
    return other === undefined ? [] : [{ own, other }];
  });
  if (pairs.length === 0) return null;
  return {
    units: pairs.length,
    ...bootstrapDifference(
      pairs.map(({ own }) => own.score),
      pairs.map(({ other }) => other.score),
      { key: { seed: 0, iteration: 0, purpose: `study: ${purpose}` }, resamples, level: 0.95 },
    ),
    ...pairedTest(
      pairs.map(({ own }) => own.right),
      pairs.map(({ other }) => other.right),
    ),
  };
}
