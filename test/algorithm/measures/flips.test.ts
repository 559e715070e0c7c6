import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flips } from '../../../src/algorithm/measures/flips.ts';
import { anyAgents, graded } from './graded.ts';

describe('the flips from round to round', () => {
  it('count how each agent changed its answer', () => {
    const { right } = graded('RR', 'Ra', 'aR', 'ab', '-R', 'R-');
    expect(flips(right, 2)).toEqual({ rightToRight: 1, rightToWrong: 2, wrongToRight: 2, wrongToWrong: 1 });
  });

  it('compare a round with the one just before it', () => {
    const { right } = graded('RaR');
    expect(flips(right, 2)).toMatchObject({ rightToWrong: 1, wrongToRight: 0 });
    expect(flips(right, 3)).toMatchObject({ rightToWrong: 0, wrongToRight: 1 });
  });

  it('add up to all agents, and to the right answers of each of the two rounds', () => {
    fc.assert(
      fc.property(anyAgents, (agents) => {
        const { right } = graded(...agents);
        for (let round = 2; round <= agents[0]!.length; round++) {
          const all = flips(right, round);
          expect(Object.values(all).reduce((sum, each) => sum + each, 0)).toBe(agents.length);
          expect(all.rightToRight + all.wrongToRight).toBe(right.filter((each) => each[round - 1]).length);
        }
      }),
    );
  });
});
