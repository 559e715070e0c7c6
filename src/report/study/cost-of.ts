import { type Cost, cost, pointsPerMillionTokens } from '../../algorithm/measures/cost.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import type { MeasuredCell } from './measure-cell.ts';

/** What a method cost for each seed, and what it brought. */
export type MethodCost = Pick<
  Cost,
  'tokensIn' | 'tokensOut' | 'tokensTrained' | 'tokens' | 'deviceSeconds' | 'wallSeconds'
> & {
  /** Percentage points over one answer of the base model, for each million tokens; null when no tokens were counted. */
  readonly pointsPerMillionTokens: number | null;
};

/**
 * The mean over one method's experiments of what each used (src/algorithm/measures/cost.ts says what counts): training debates, fine-tunes
 * and all evaluations, but for the base model's own where the method learns, which only draws the curve's beginning. Answers that
 * experiments of a study share count for each of them, as each would need them alone.
 *
 * @param accuracy what the method came to, 0..1
 */
export function costOf(cells: readonly MeasuredCell[], accuracy: number): MethodCost {
  const costs = cells.map(({ result, config, method, baseTokens }) => {
    // What answers once is measured with all agents' answers, for the sake of precision: one of them is what it costs.
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
    cells.reduce((sum, { result }) => sum + (result.evaluations[0]?.single.accuracy ?? 0), 0) / cells.length;
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
