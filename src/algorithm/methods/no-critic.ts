import { generationDataset } from '../generation-dataset.ts';
import { generationThroughout } from '../roles.ts';
import type { Method } from './method.ts';
import { multiagentFt } from './multiagent-ft.ts';

export const noCritic: Method = {
  ...multiagentFt,
  title: 'w/o critic',
  about: 'Multiagent FT with generation models alone, which answer in every round (Table 2).',
  roles: [generationThroughout],
  learning: {
    models: 'each agent',
    conversation: 'debate',
    datasets: (agents, debates) => ({ generation: generationDataset(agents, debates) }),
  },
};
