import { debate } from './debate.ts';
import type { Method } from './method.ts';

export const uniqueId: Method = {
  ...debate,
  title: 'Unique ID',
  about:
    'Debate of base models that are told apart by a number in the prompt instead of by fine-tuning (Table 5).',
  identified: true,
};
