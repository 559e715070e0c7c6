/** Which model answered? A short greedy answer tells one model from another, by its tokens and their log-probabilities. */
import type { CanaryRequest } from '../../config/server-contract.ts';

/** A greedy answer to `canaryRequest`. */
export interface CanaryAnswer {
  readonly text: string;
  /** By place in the answer; null where the server gives no log-probabilities. */
  readonly tokens: readonly CanaryToken[] | null;
}

/** Natural logarithms of probabilities, by token: the answer's own and the likeliest others. */
export type CanaryToken = { readonly own: string; readonly logprobs: ReadonlyMap<string, number> };

/** Any text would do; one with digits and letters suits the embedded model and large ones alike. */
export function canaryRequest(model: string): CanaryRequest {
  return {
    model,
    messages: [
      { role: 'user', content: '12+3*8-5' },
      { role: 'assistant', content: '3*8=24;12+24=36;36-5=31' },
      { role: 'user', content: 'Is 31 right?' },
    ],
    max_tokens: 16,
    temperature: 0,
    seed: 0,
    logprobs: true,
    top_logprobs: 5,
  };
}

/**
 * How far two canary answers are apart: the greatest difference of the log-probabilities of a token, in nats, at the places up to
 * the first at which the answers differ. 0 when they are equal. Without log-probabilities it is 0 for equal texts, else infinite.
 */
export function distance(a: CanaryAnswer, b: CanaryAnswer): number {
  if (a.tokens === null || b.tokens === null) return a.text === b.text ? 0 : Infinity;
  let greatest = a.tokens.length === b.tokens.length ? 0 : leastKnown;
  for (const [place, token] of a.tokens.entries()) {
    const other = b.tokens[place];
    if (other === undefined) break;
    greatest = Math.max(greatest, tokenDistance(token, other));
    // What follows another token is no answer to the same prompt.
    if (token.own !== other.own) break;
  }
  return greatest;
}

/** Of tokens that only one of two answers has among its likeliest, the other's log-probability is at most that of its least likely one. */
function tokenDistance(a: CanaryToken, b: CanaryToken): number {
  const [leastOfA, leastOfB] = [a, b].map(({ logprobs }) => Math.min(...logprobs.values()));
  const tokens = new Set([...a.logprobs.keys(), ...b.logprobs.keys()]);
  return Math.max(
    ...[...tokens].map((token) =>
      Math.abs((a.logprobs.get(token) ?? leastOfA ?? 0) - (b.logprobs.get(token) ?? leastOfB ?? 0)),
    ),
  );
}

/** One answer ended where the other went on, though each token until then was equally likely. */
const leastKnown = 1e-9;
