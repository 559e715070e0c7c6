import { generationDataset } from '../generation-dataset.ts';
import { generation } from '../roles.ts';
import type { Method } from './method.ts';

export const majorityFt: Method = {
  title: 'Majority FT',
  about:
    'One model learns from all first answers that equal their majority; it answers by majority vote (Table 1). No debate.',
  answer: 'majority',
  fixes: { rounds: 1 },
  roles: [generation],
  learning: {
    models: 'all agents',
    conversation: 'debate',
    datasets: (agents, debates) => ({ generation: generationDataset(agents, debates) }),
  },
};
