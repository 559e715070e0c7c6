import { expect, it } from 'vitest';
import { baseAgents } from '../../src/algorithm/agents.ts';

it('all 2N models start as the same base model', () => {
  expect(baseAgents(3, 'base')).toEqual([
    { number: 1, generation: 'base', critic: 'base' },
    { number: 2, generation: 'base', critic: 'base' },
    { number: 3, generation: 'base', critic: 'base' },
  ]);
});
