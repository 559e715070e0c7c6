import { expect, it } from 'vitest';
import { longestRequest } from '../../src/activities/asking/examine-endpoint.ts';
import { experimentConfigSchema } from '../../src/config/experiment.ts';
import { createTasks } from '../../src/questions/open-task.ts';

const task = { kind: 'arithmetic' };
const { answers } = createTasks().open(experimentConfigSchema.parse({ task }).task);

it.each([
  [
    'three agents and two rounds: its own and those of two others',
    { agents: 3, rounds: 2, summarize: false },
    3,
  ],
  ['three rounds: twice its own and those of two others', { agents: 3, rounds: 3, summarize: false }, 6],
  ['summaries: what is summarised', { agents: 4, rounds: 2, summarize: true }, 3],
  ['one round: none', { agents: 3, rounds: 1 }, 0],
])('the longest prompt of a debate of %s', async (_, settings, expected) => {
  const config = experimentConfigSchema.parse({ task, ...settings });
  const { messages, answers: found } = await longestRequest(
    config,
    { id: 'q', text: 'What is 1+1?' },
    answers,
    { agents: [1], summarises: true },
  );
  expect(found).toBe(expected);
  expect(messages.at(-1)?.role).toBe('user');
});
