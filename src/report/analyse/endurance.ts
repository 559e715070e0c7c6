import type { PairedDifference } from '../../algorithm/measures/comparison.ts';
import { holm } from '../../algorithm/measures/tests.ts';
import { compare, type CurvePoint, type ScoredContender } from './contenders.ts';

/** Whether a method's gains last over the iterations. */
export type Endurance = {
  /** The iteration of the highest accuracy, without the base model; the first of equal ones. */
  readonly best: number;
  /** The last iteration against the first, on the same questions; null when there is only one. */
  readonly change: CorrectedDifference | null;
  /** The last iteration against the best of those before it, which is picked by hindsight; null when there is only one. */
  readonly sinceBest: (CorrectedDifference & { readonly iteration: number }) | null;
  /**
   * `went on gaining`: the last iteration is better than every one before. `gained early`: it is better than the first, and not shown to
   * differ from the best before it. `fell from its best`, `fell`: it is worse than the best, or the first too. All by adjusted p-values.
   */
  readonly verdict:
    | 'went on gaining'
    | 'gained early'
    | 'fell from its best'
    | 'fell'
    | 'neither'
    | 'one iteration';
};

/** `adjusted` is Holm's p-value over all methods of the study. */
type CorrectedDifference = PairedDifference & { readonly adjusted: number };

/** Before the correction. */
export type Course = Pick<Endurance, 'best'> & {
  readonly change: PairedDifference | null;
  readonly sinceBest: (PairedDifference & { readonly iteration: number }) | null;
  /** How many iterations there were before the last. */
  readonly before: number;
};

/** Null for a contender that learns nothing or was never trained, and for votes of another contender's agents. */
export function courseOf(
  { learns, votesOf, scores }: ScoredContender,
  points: readonly CurvePoint[],
): Course | null {
  const trained = points.slice(1);
  const best = bestOf(trained);
  const bestBefore = bestOf(trained.slice(0, -1));
  const last = scores.at(-1);
  if (!learns || votesOf !== null || best === undefined || last === undefined) return null;
  const against = (iteration: number | undefined) => {
    const before = iteration === undefined ? undefined : scores[iteration];
    return before === undefined ? null : compare(last, before);
  };
  const sinceBest = against(bestBefore?.iteration);
  return {
    best: best.iteration,
    change: trained.length < 2 ? null : against(1),
    sinceBest:
      sinceBest === null || bestBefore === undefined
        ? null
        : { ...sinceBest, iteration: bestBefore.iteration },
    before: trained.length - 1,
  };
}

function bestOf(points: readonly CurvePoint[]): CurvePoint | undefined {
  return points.reduce<CurvePoint | undefined>(
    (top, point) => (top === undefined || point.accuracy > top.accuracy ? point : top),
    undefined,
  );
}

/**
 * The verdicts on all methods of a study, corrected for their number. A fall since the best iteration is also corrected for the number of
 * iterations among which the best was picked, as the best of several looks better than it is.
 */
export function endurances(courses: readonly (Course | null)[]): (Endurance | null)[] {
  const changes = adjustedOf(courses.map((course) => course?.change?.pValue));
  const sinceBests = adjustedOf(
    courses.map((course) => {
      const { sinceBest = null } = course ?? {};
      if (course === null || sinceBest === null) return undefined;
      const picked = sinceBest.difference < 0 ? course.before : 1;
      return Math.min(1, sinceBest.pValue * picked);
    }),
  );
  return courses.map((course, index) => {
    if (course === null) return null;
    const change = course.change === null ? null : { ...course.change, adjusted: changes[index] ?? 1 };
    const sinceBest =
      course.sinceBest === null ? null : { ...course.sinceBest, adjusted: sinceBests[index] ?? 1 };
    return { best: course.best, change, sinceBest, verdict: verdictOn(change, sinceBest) };
  });
}

/** Holm's p-values of those that there are, by place. */
function adjustedOf(pValues: readonly (number | undefined)[]): readonly (number | undefined)[] {
  const known = pValues.flatMap((p, place) => (p === undefined ? [] : [{ p, place }]));
  const adjusted = holm(known.map(({ p }) => p));
  const byPlace = new Map(known.map(({ place }, index) => [place, adjusted[index]]));
  return pValues.map((_, place) => byPlace.get(place));
}

function verdictOn(
  change: CorrectedDifference | null,
  sinceBest: CorrectedDifference | null,
): Endurance['verdict'] {
  if (change === null || sinceBest === null) return 'one iteration';
  if (isShown(sinceBest) && sinceBest.difference > 0) return 'went on gaining';
  if (isShown(change) && change.difference < 0) return 'fell';
  if (isShown(sinceBest)) return 'fell from its best';
  return isShown(change) ? 'gained early' : 'neither';
}

function isShown({ adjusted }: CorrectedDifference): boolean {
  return adjusted < 0.05;
}
