import type { Method } from './method.ts';
import { multiagentFt } from './multiagent-ft.ts';

export const noSummary: Method = {
  ...multiagentFt,
  title: 'w/o summary',
  about: 'Multiagent FT whose critics see the other responses themselves, not a summary (Table 2).',
  fixes: { summarize: false },
};
