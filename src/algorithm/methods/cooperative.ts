import type { Method } from './method.ts';
import { multiagentFt } from './multiagent-ft.ts';

export const cooperative: Method = {
  ...multiagentFt,
  title: 'Cooperative FT',
  about: 'Multiagent FT of agents that are asked to build on each other instead of to criticise (Table 3).',
  stance: 'cooperate',
};
