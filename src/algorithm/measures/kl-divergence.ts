import type { CrossScores, ResponseScore } from './response-score.ts';

/** An estimate of KL(p || q), in nats. */
export type Divergence = {
  /** Mean over responses of the log-ratio divided by the response's tokens. */
  readonly perToken: number;
  /** Mean over responses of the log-ratio of the whole response. */
  readonly perResponse: number;
};

/**
 * KL(p || q) estimated from responses sampled by p: the mean of log p(y) - log q(y). Empty responses are left out; null when
 * none remains.
 *
 * Why this estimator and not the one that is never negative (Schulman's k3, r - 1 - log r with r = q / p): this one is unbiased
 * for whole responses and adds up over tokens, whereas for whole responses k3 averages a ratio of products whose mean of 1 no
 * sample of a hundred shows, and a single unlikely token can outweigh all others. The price is variance: an estimate may be
 * below 0, which says no more than that it is within its error of 0. Its standard error over questions must be shown with it.
 *
 * Biases: responses sampled with top_p below 1 come from a truncated p' (what is estimated is then KL(p' || q) less KL(p' || p),
 * which at 0.9 is at most log(1 / 0.9), 0.105 nats, for each token, and equal models stay at exactly 0); a temperature other than 1 is another p;
 * `perToken` is the mean of the responses' means, so a token of a short response weighs more.
 */
export function divergence(
  samples: readonly { readonly p: ResponseScore; readonly q: ResponseScore }[],
): Divergence | null {
  const ratios = samples.flatMap(({ p, q }) =>
    p.tokens === 0 ? [] : [{ response: p.logprob - q.logprob, tokens: p.tokens }],
  );
  if (ratios.length === 0) return null;
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, each) => sum + each, 0) / values.length;
  return {
    perToken: mean(ratios.map(({ response, tokens }) => response / tokens)),
    perResponse: mean(ratios.map(({ response }) => response)),
  };
}

/** Between agents: over all ordered pairs i != j, from i's own response to the question. */
export function divergenceBetweenAgents(scores: CrossScores): Divergence | null {
  return divergence(
    scores.flatMap((byResponse, i) =>
      scores.flatMap((other, j) => {
        const [p, q] = [byResponse[i], other[i]];
        return i === j || p === undefined || q === undefined ? [] : [{ p, q }];
      }),
    ),
  );
}

/** Of the agents from the base model. `base` has, by agent, what the base model thinks of that agent's response. */
export function divergenceFromBase(scores: CrossScores, base: readonly ResponseScore[]): Divergence | null {
  return divergence(
    base.flatMap((q, i) => {
      const p = scores[i]?.[i];
      return p === undefined ? [] : [{ p, q }];
    }),
  );
}
