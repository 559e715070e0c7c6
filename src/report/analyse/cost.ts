import { type Cost, cost, pointsPerMillionTokens } from '../../algorithm/measures/cost.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';

/** What a method cost for each seed, and what it gained. */
export type MethodCost = Pick<
  Cost,
  'tokensIn' | 'tokensOut' | 'tokensTrained' | 'tokens' | 'deviceSeconds' | 'wallSeconds'
> & {
  /** Percentage points over one answer of the base model, for each million tokens; null when no tokens were counted. */
  readonly pointsPerMillionTokens: number | null;
};

/**
 * The mean over one method's experiments of what each used (src/algorithm/measures/cost.ts defines what counts): training debates,
 * fine-tunes and evaluations. The base model's own evaluation does not count for a method that learns: it is only the start of the curve.
 * Answers that experiments of a study share count for each of them, since each would need them if it ran alone.
 *
 * @param accuracy the method's accuracy after its last iteration, 0..1
 */
export function costOf(experiments: readonly MeasuredExperiment[], accuracy: number): MethodCost {
  const costs = experiments.map(({ result, config, method, baseTokens }) => {
    // A method that answers once is measured with the answers of all agents, for precision; it costs one of them.
    const share = methods[method].answer === 'single' ? 1 / config.agents : 1;
    const { prompt, completion } = result.tokens.evaluation;
    const evaluation = { prompt: prompt * share, completion: completion * share };
    const used = cost({ ...result, tokens: { ...result.tokens, evaluation } });
    const curveOnly = methods[method].learning === undefined ? 0 : baseTokens * share;
    return { ...used, tokens: used.tokens - curveOnly };
  });
  const mean = (of: (used: Cost) => number): number =>
    costs.reduce((sum, used) => sum + of(used), 0) / costs.length;
  const base =
    experiments.reduce((sum, { result }) => sum + (result.evaluations[0]?.single.accuracy ?? 0), 0) /
    experiments.length;
  const tokens = mean((used) => used.tokens);
  return {
    tokensIn: mean((used) => used.tokensIn),
    tokensOut: mean((used) => used.tokensOut),
    tokensTrained: mean((used) => used.tokensTrained),
    tokens,
    deviceSeconds: mean((used) => used.deviceSeconds),
    wallSeconds: mean((used) => used.wallSeconds),
    pointsPerMillionTokens: pointsPerMillionTokens(accuracy, base, tokens),
  };
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
