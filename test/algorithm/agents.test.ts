import { expect, it } from 'vitest';
import { baseAgents, critic, generation, modelOf } from '../../src/algorithm/agents.ts';

it('all 2N models start as the same base model', () => {
  expect(baseAgents(['base', 'base', 'base'], [generation, critic])).toEqual([
    { number: 1, models: { generation: 'base', critic: 'base' } },
    { number: 2, models: { generation: 'base', critic: 'base' } },
    { number: 3, models: { generation: 'base', critic: 'base' } },
  ]);
});

it('an agent has an error for a role that it does not have', () => {
  const [agent] = baseAgents(['base'], [generation]);
  expect(() => modelOf(agent!, 'critic')).toThrow('Agent 1 has no critic model.');
});
