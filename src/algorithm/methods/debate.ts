import { critic, generation } from '../roles.ts';
import type { Method } from './method.ts';

export const debate: Method = {
  title: 'Debate',
  about: 'Agents that are all the base model debate; nothing is fine-tuned (Table 1).',
  answer: 'debate',
  fixes: { iterations: 0 },
  roles: [generation, critic],
};
