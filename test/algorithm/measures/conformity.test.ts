import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conformity } from '../../../src/algorithm/measures/flips.ts';
import { anyAgents, graded } from './graded.ts';

const counts = (dissenting: number, conformed: number, rightToWrong: number, wrongToRight: number) => ({
  dissenting,
  conformed,
  rightToWrong,
  wrongToRight,
});

describe('conformity', () => {
  it.each([
    ['a right agent that yields to two wrong ones', ['Ra', 'aa', 'aa'], counts(1, 1, 1, 0)],
    ['a wrong agent that yields to two right ones', ['aR', 'RR', 'RR'], counts(1, 1, 0, 1)],
    ['a wrong agent that yields to two others that are also wrong', ['ab', 'bb', 'bb'], counts(1, 1, 0, 0)],
    ['an agent that holds out', ['RR', 'aa', 'aa'], counts(1, 0, 0, 0)],
    ['an agent that goes to a third answer', ['Rb', 'aa', 'aa'], counts(1, 0, 0, 0)],
    ['agents that agreed already', ['RR', 'RR', 'Ra'], counts(0, 0, 0, 0)],
    // The others of each agent have two different answers: no majority, so no agent dissents.
    ['three different answers', ['RR', 'aR', 'bR'], counts(0, 0, 0, 0)],
    ['one without an answer, which has none to change', ['-R', 'RR', 'RR'], counts(0, 0, 0, 0)],
    // Each agent has one other, whose answer is the majority.
    ['two agents that swap', ['aR', 'Ra'], counts(2, 2, 1, 1)],
    // Agents 1, 2: the others are R, a, a -> a; a dissenting R each. Agents 3, 4: the others are R, R, a -> R.
    ['two against two, all yielding', ['Ra', 'Ra', 'aR', 'aR'], counts(4, 4, 2, 2)],
    ['one agent', ['aR'], counts(0, 0, 0, 0)],
  ])('of %s', (_, agents, expected) => {
    expect(conformity(graded(...agents), 2)).toEqual(expected);
  });

  it('never has more agents that conformed than that dissented, or more flips than agents that conformed', () => {
    fc.assert(
      fc.property(anyAgents, (agents) => {
        for (let round = 2; round <= agents[0]!.length; round++) {
          const all = conformity(graded(...agents), round);
          expect(all.dissenting).toBeLessThanOrEqual(agents.length);
          expect(all.conformed).toBeLessThanOrEqual(all.dissenting);
          expect(all.rightToWrong + all.wrongToRight).toBeLessThanOrEqual(all.conformed);
        }
      }),
    );
  });
});
