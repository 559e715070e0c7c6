import * as fc from 'fast-check';
import type { GradedAnswers } from '../../../src/algorithm/measures/answers.ts';

/**
 * Answers by agent, then by round, each one letter or digit: equal signs are equal answers, `-` could not be parsed. `R` is the right one.
 * `['aR', 'RR']` is two agents of two rounds of which the first corrects itself.
 */
export function graded(...agents: readonly string[]): GradedAnswers {
  const signs = [...new Set(Array.from(agents.join('')))];
  return {
    right: agents.map((answers) => Array.from(answers).map((sign) => sign === 'R')),
    classes: agents.map((answers) =>
      Array.from(answers).map((sign) => (sign === '-' ? null : signs.indexOf(sign))),
    ),
  };
}

/** The answers of agents in some rounds, for `graded`. */
export const anyAgents = fc
  .record({ agents: fc.integer({ min: 1, max: 6 }), rounds: fc.integer({ min: 1, max: 4 }) })
  .chain(({ agents, rounds }) => {
    const answers = fc.array(fc.constantFrom('R', 'a', 'b', 'c', '-'), {
      minLength: rounds,
      maxLength: rounds,
    });
    return fc.array(
      answers.map((signs) => signs.join('')),
      { minLength: agents, maxLength: agents },
    );
  });
