import { setImmediate as otherWork } from 'node:timers/promises';
import { comparePaired, type PairedDifference, type ScorePair } from '../../algorithm/measures/comparison.ts';
import { holm } from '../../algorithm/measures/tests.ts';
import type { Scores } from '../read/measured-experiment.ts';
import type { ContenderKey, ScoredContender } from './contenders.ts';

/**
 * How much one set of scores is above another on the units that both have: positive when the first is better. A unit is a question of one
 * seed; the same question of several seeds is one question for intervals and tests. Null when no unit is in both.
 */
export function compare(first: Scores, second: Scores): PairedDifference | null {
  const pairs = [...first].flatMap(([unit, own]): ScorePair[] => {
    const other = second.get(unit);
    return other === undefined ? [] : [{ question: own.question, first: own, second: other }];
  });
  return comparePaired(pairs);
}

/** When contenders are compared: after one iteration, as in the paper, or after the last that both have. */
export type Moment = 'first' | 'last';

/** The study's reference method against another contender in the same setting. */
export type ContenderComparison = PairedDifference & {
  readonly setting: string;
  readonly moment: Moment;
  readonly reference: ContenderKey;
  readonly other: ContenderKey;
  /** After which iteration each is compared; 0 for a contender that learns nothing. */
  readonly iterations: { readonly reference: number; readonly other: number };
  /** Holm's adjusted p-value, over all comparisons of this moment in all settings. */
  readonly adjusted: number;
};
type Uncorrected = Omit<ContenderComparison, 'adjusted'>;

/**
 * Compares the reference with each other method of a setting (votes of trained agents stand beside their own debates), at both moments, or at the first alone where the two are the same.
 * Yields to other work of this process between comparisons, so that heartbeats go out.
 */
export async function compareAll(
  setting: string,
  all: readonly ScoredContender[],
  reference: ContenderKey,
): Promise<Uncorrected[]> {
  const own = all.find(({ key }) => key === reference);
  if (own === undefined) return [];
  const found: Uncorrected[] = [];
  for (const other of all) {
    if (other.key === reference || other.votesOf !== null) continue;
    for (const { moment, iterations } of moments(own, other)) {
      await otherWork();
      const scores = { own: own.scores[iterations.reference], other: other.scores[iterations.other] };
      if (scores.own === undefined || scores.other === undefined) continue;
      const difference = compare(scores.own, scores.other);
      if (difference !== null)
        found.push({ setting, moment, reference, other: other.key, iterations, ...difference });
    }
  }
  return found;
}

/** Corrects the p-values of each moment, which is a table of its own. */
export function withHolm(comparisons: readonly Uncorrected[]): ContenderComparison[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const table = comparisons.filter((each) => each.moment === moment);
    const adjusted = holm(table.map(({ pValue }) => pValue));
    return table.map((each, index) => ({ ...each, adjusted: adjusted[index] ?? 1 }));
  });
}

function moments(own: ScoredContender, other: ScoredContender) {
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
