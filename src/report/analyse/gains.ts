/** Do a method's gains last, and what do they cost? */
import type { PairedDifference } from '../../algorithm/measures/comparison.ts';
import {
  type Cost,
  cost,
  noWork,
  plus,
  pointsPerMillionTokens,
  times,
  type Used,
} from '../../algorithm/measures/cost.ts';
import { holm } from '../../algorithm/measures/tests.ts';
import { methods } from '../../algorithm/methods.ts';
import { agentCount } from '../../config/experiment.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
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

/** What a method cost, and what it gained for that. */
export type MethodCost = Cost & {
  /** Percentage points over one answer of the base model, for each million tokens; null when no tokens were counted. */
  readonly pointsPerMillionTokens: number | null;
};

/**
 * The mean over one method's experiments of what each cost (src/algorithm/measures/cost.ts has the rule).
 *
 * @param all the experiments of the setting: some may have done work that those of the method share
 * @param accuracy the method's accuracy after its last iteration, 0..1
 */
export function costOf(
  own: readonly MeasuredExperiment[],
  all: readonly MeasuredExperiment[],
  accuracy: number,
): MethodCost {
  const costs = own.map((experiment) => costOfOne(experiment, all));
  const share = 1 / costs.length;
  const sum = (of: (each: Cost) => Used): Used => costs.map((each) => times(of(each), share)).reduce(plus);
  const tokens = costs.reduce((total, each) => total + each.tokens, 0) * share;
  const base = own.reduce((total, { result }) => total + (result.evaluations[0]?.single.accuracy ?? 0), 0);
  return {
    training: sum(({ training }) => training),
    answer: sum(({ answer }) => answer),
    tokens,
    pointsPerMillionTokens: pointsPerMillionTokens(accuracy, base * share, tokens),
  };
}

function costOfOne(experiment: MeasuredExperiment, all: readonly MeasuredExperiment[]): Cost {
  const { iterations, method, config } = experiment;
  const rate = sharedRate(experiment, all);
  const training = iterations.flatMap(({ training: used }, iteration) =>
    used === null ? [] : [plus(iteration === 1 ? charged(used.debates, rate) : used.debates, used.fineTunes)],
  );
  // A method that answers once is measured with the answers of all agents, for precision; it costs one of them.
  const share = methods[method].answer === 'single' ? 1 / agentCount(config) : 1;
  const last = iterations.at(-1);
  const evaluation = last?.evaluation ?? noWork;
  const answering = iterations.length === 1 ? charged(evaluation, rate) : evaluation;
  return cost(training, times(answering, share), last?.answers.length ?? 0);
}

/**
 * Work of the base model that another experiment may have done for this one: the time that was measured, or that which its written tokens
 * take at the rate of the experiment that shared least, if that is longer.
 */
function charged(used: Used, secondsPerToken: number): Used {
  return { ...used, deviceSeconds: Math.max(used.deviceSeconds, used.tokensOut * secondsPerToken) };
}

/**
 * Seconds for each token that the base model writes: the highest rate among the experiments that share answers with this one, since answers
 * that were found take no time. 0 where nothing is shared.
 */
function sharedRate({ config, seed }: MeasuredExperiment, all: readonly MeasuredExperiment[]): number {
  if (config.shared_answers === undefined) return 0;
  const sharing = all.filter(
    (each) => each.config.shared_answers === config.shared_answers && each.seed === seed,
  );
  const rates = sharing
    .flatMap(({ iterations }) => [iterations[0]?.evaluation, iterations[1]?.training?.debates])
    .flatMap((used) =>
      used === undefined || used.tokensOut === 0 ? [] : [used.deviceSeconds / used.tokensOut],
    );
  return Math.max(0, ...rates);
}

/** The cost and the accuracy of a result. */
export type Priced = { readonly tokens: number; readonly accuracy: number };

/** The Pareto front, cheapest first: a result is on it when no other is at least as accurate for at most as many tokens. Of equal ones, the first. */
export function paretoFront<Result extends Priced>(results: readonly Result[]): Result[] {
  const byCost = results.toSorted((a, b) => a.tokens - b.tokens || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return byCost.filter(({ accuracy }) => {
    if (accuracy <= best) return false;
    best = accuracy;
    return true;
  });
}
