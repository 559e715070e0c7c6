import { criticDataset } from '../critic-dataset.ts';
import { generationDataset } from '../generation-dataset.ts';
import { critic, generation } from '../roles.ts';
import type { Method } from './method.ts';

export const multiagentFt = {
  title: 'Multiagent FT',
  about:
    'The method of the paper (section 2, Algorithm 1): each agent has a generation and a critic model of its own, fine-tuned on its own side of the debates.',
  answer: 'debate',
  fixes: {},
  roles: [generation, critic],
  learning: {
    models: 'each agent',
    conversation: 'debate',
    datasets: (agents, debates, settings) => ({
      generation: generationDataset(agents, debates),
      critic: criticDataset(agents, debates, settings),
    }),
  },
} satisfies Method;
