import { generationDataset } from '../generation-dataset.ts';
import { generation } from '../roles.ts';
import type { Method } from './method.ts';

export const singleAgentNoDebate: Method = {
  title: 'Single-agent FT w/o debate',
  about:
    'One model learns from its own first answers (those of agent 1) that equal the majority, and gives one answer (Table 2).',
  answer: 'single',
  fixes: { rounds: 1 },
  roles: [generation],
  learning: {
    models: 'all agents',
    conversation: 'debate',
    datasets: (_, debates) => ({ generation: generationDataset([1], debates) }),
  },
};
