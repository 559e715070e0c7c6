import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  divergence,
  divergenceBetweenAgents,
  divergenceFromBase,
  nllOfOthers,
  nllOfOwn,
  type ResponseScore,
  responseScore,
} from '../../../src/algorithm/measures/diversity.ts';
import { draws } from '../../../src/algorithm/random.ts';

const score = (tokens: number, logprob: number): ResponseScore => ({ tokens, logprob });

// Agent 1's response has 2 tokens, agent 2's has 4. By agent i's model, then by agent j's response.
const scores = [
  [score(2, -1), score(4, -8)],
  [score(2, -3), score(4, -2)],
];

describe('the score of a response', () => {
  it('is the number of its tokens and the sum of their logprobs', () => {
    expect(responseScore([-0.5, -0.25])).toEqual({ tokens: 2, logprob: -0.75 });
    expect(responseScore([])).toEqual({ tokens: 0, logprob: 0 });
  });
});

describe("the negative log-likelihood of the others' responses", () => {
  it('is the mean over pairs of agents, by token', () => {
    // Agent 1 on agent 2's: 8 / 4 = 2; agent 2 on agent 1's: 3 / 2 = 1.5.
    expect(nllOfOthers(scores)).toBeCloseTo(1.75, 12);
  });

  it('stands beside that of their own responses', () => {
    // Agent 1 on its own: 1 / 2 = 0.5; agent 2 on its own: 2 / 4 = 0.5.
    expect(nllOfOwn(scores)).toBeCloseTo(0.5, 12);
    expect(nllOfOwn([[score(0, 0)]])).toBeNull();
  });

  it('leaves empty responses out, and is null when there are no others', () => {
    expect(
      nllOfOthers([
        [score(2, -1), score(0, 0)],
        [score(2, -3), score(0, 0)],
      ]),
    ).toBeCloseTo(1.5, 12);
    expect(nllOfOthers([[score(2, -1)]])).toBeNull();
  });
});

describe('the Kullback-Leibler divergence', () => {
  it('between agents is the mean log-ratio of own responses', () => {
    // Agent 1's response: -1 - -3 = 2, by token 1; agent 2's: -2 - -8 = 6, by token 1.5.
    expect(divergenceBetweenAgents(scores)).toEqual({ perToken: 1.25, perResponse: 4 });
  });

  it('from the base is the mean log-ratio of own responses to the base', () => {
    // -1 - -2 = 1, by token 0.5; -2 - -3 = 1, by token 0.25.
    expect(divergenceFromBase(scores, [score(2, -2), score(4, -3)])).toEqual({
      perToken: 0.375,
      perResponse: 1,
    });
  });

  it('is exactly 0 between equal models', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            tokens: fc.integer({ min: 1, max: 99 }),
            logprob: fc.double({ min: -99, max: 0, noNaN: true }),
          }),
          { minLength: 2, maxLength: 5 },
        ),
        (own) => {
          expect(divergenceBetweenAgents(own.map(() => own))).toEqual({ perToken: 0, perResponse: 0 });
          expect(
            divergenceFromBase(
              own.map(() => own),
              own,
            ),
          ).toEqual({ perToken: 0, perResponse: 0 });
        },
      ),
    );
  });

  it('equals the exact divergence for distributions over three tokens', () => {
    const p = [0.5, 0.3, 0.2];
    const q = [0.2, 0.3, 0.5];
    // 0.5 log(0.5 / 0.2) + 0.3 log 1 + 0.2 log(0.2 / 0.5) = 0.3 log 2.5; responses of two tokens have twice that.
    const exact = 0.3 * Math.log(2.5);
    const draw = draws({ seed: 0, iteration: 0, purpose: 'tokens' });
    const token = (): number => {
      const place = draw(10);
      return place < 5 ? 0 : place < 8 ? 1 : 2;
    };
    const samples = Array.from({ length: 20_000 }, () => {
      const tokens = [token(), token()];
      const by = (model: readonly number[]) => responseScore(tokens.map((each) => Math.log(model[each]!)));
      return { p: by(p), q: by(q) };
    });
    const { perToken, perResponse } = divergence(samples)!;
    // A token's log-ratio has a variance of 0.7 log(2.5)^2 - exact^2 = 0.51: three errors of the mean of 40,000 are 0.011.
    expect(Math.abs(perToken - exact)).toBeLessThan(0.011);
    expect(Math.abs(perResponse - 2 * exact)).toBeLessThan(0.022);
  });

  it('leaves empty responses out, and is null without any', () => {
    expect(divergence([{ p: score(0, 0), q: score(0, 0) }])).toBeNull();
    expect(divergenceBetweenAgents([[score(2, -1)]])).toBeNull();
  });
});
