import {
  type Cost,
  cost,
  noWork,
  plus,
  pointsPerMillionTokens,
  times,
  type Used,
} from '../../algorithm/measures/cost.ts';
import { methods } from '../../algorithm/methods.ts';
import { agentCount } from '../../config/experiment.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';

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
