import { setImmediate as otherWork } from 'node:timers/promises';
import {
  bootstrapDifference,
  type DifferenceInterval,
  holm,
  type PairedTest,
  pairedTest,
} from '../../algorithm/measures/tests.ts';
import type { Scores } from '../read/measured-experiment.ts';
import type { ContenderKey, CurvePoint, ScoredContender } from './contenders.ts';

/** How much one set of scores is above another on the units that both have: 0..1, positive when the first is better. */
export type PairedDifference = DifferenceInterval & PairedTest & { readonly units: number };

/**
 * How many times units are resampled. With 4,000 the ends of a 95 % interval are uncertain by about 3 % of its length; a study has
 * about a hundred intervals.
 */
export const resamples = 4_000;

/**
 * Two sets of scores on the same units: the difference with its paired 95 % bootstrap interval, and McNemar's exact test of the answers.
 * Seeds are pooled: a unit is a question of one seed. Null when no unit is in both.
 *
 * @param purpose names the comparison, so that each has its own random numbers
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
 * Compares the reference with each other contender of a setting, at both moments, or at the first alone where the two are the same.
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
    if (other.key === reference) continue;
    for (const { moment, iterations } of moments(own, other)) {
      await otherWork();
      const scores = { own: own.scores[iterations.reference], other: other.scores[iterations.other] };
      if (scores.own === undefined || scores.other === undefined) continue;
      const purpose = [setting, moment, reference, other.key].join(' ');
      const difference = compare(scores.own, scores.other, purpose);
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

/** Whether a method's gains last over the iterations. */
export type Endurance = {
  /** The iteration of the highest accuracy, without the base model; the first of equal ones. */
  readonly best: number;
  /** The last iteration against the first, on the same questions; null when there is only one. */
  readonly change: PairedDifference | null;
  /** Whether the interval of the change is above 0, below 0, or contains it. */
  readonly verdict: 'rose' | 'fell' | 'neither' | 'one iteration';
};

/** Null for a contender that learns nothing, or was never trained. */
export function endurance(
  { key, learns, scores }: ScoredContender,
  points: readonly CurvePoint[],
  setting: string,
): Endurance | null {
  const trained = points.slice(1);
  const best = trained.reduce<CurvePoint | undefined>(
    (top, point) => (top === undefined || point.accuracy > top.accuracy ? point : top),
    undefined,
  );
  const [, first] = scores;
  const last = scores.at(-1);
  if (!learns || best === undefined || first === undefined || last === undefined) return null;
  const change = trained.length < 2 ? null : compare(last, first, [setting, 'endurance', key].join(' '));
  return { best: best.iteration, change, verdict: verdictOn(change) };
}

function verdictOn(change: PairedDifference | null): Endurance['verdict'] {
  if (change === null) return 'one iteration';
  if (change.low > 0) return 'rose';
  return change.high < 0 ? 'fell' : 'neither';
}
