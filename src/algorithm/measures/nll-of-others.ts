import type { CrossScores } from './response-score.ts';

/**
 * How unlikely agents find each other's responses to a question (section 4 of the paper measures diversity so): the mean over
 * ordered pairs i != j of the negative log-likelihood of j's response under i's model, divided by the response's tokens. Nats a
 * token; greater is more diverse. Empty responses are left out; null when no pair remains (one agent, say).
 *
 * It is the models' likelihood at temperature 1, whatever the responses were sampled with. It also rises when
 * responses become odd for every model, so it is to be read beside accuracy.
 */
export function nllOfOthers(scores: CrossScores): number | null {
  const pairs = scores.flatMap((byResponse, scorer) =>
    byResponse.flatMap(({ tokens, logprob }, speaker) =>
      scorer === speaker || tokens === 0 ? [] : [-logprob / tokens],
    ),
  );
  return pairs.length === 0 ? null : pairs.reduce((sum, each) => sum + each, 0) / pairs.length;
}
