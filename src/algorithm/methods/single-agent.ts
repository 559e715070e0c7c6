import type { Method } from './method.ts';
import { multiagentFt } from './multiagent-ft.ts';

export const singleAgent: Method = {
  ...multiagentFt,
  title: 'Single-agent FT',
  about:
    'One generation and one critic model learn from the debates of all agents, which are copies of them (Table 2).',
  learning: { ...multiagentFt.learning, models: 'all agents' },
};
