import { bootstrappedDataset } from '../bootstrapped-dataset.ts';
import { generation } from '../roles.ts';
import type { Method } from './method.ts';

export const star: Method = {
  title: 'STaR',
  about:
    'One model learns from its own right answers and, where it was wrong, from the reasoning that it gives when told the gold answer (Table 1; Zelikman et al. 2022). The only method that sees gold answers. STaR itself starts from the base model each time: `init_from: base`.',
  answer: 'single',
  fixes: { rounds: 1, label_source: 'gold' },
  roles: [generation],
  learning: {
    models: 'all agents',
    conversation: 'bootstrap',
    datasets: (_, debates) => ({ generation: bootstrappedDataset([1], debates) }),
  },
};
