import { generation } from '../roles.ts';
import type { Method } from './method.ts';

export const majority: Method = {
  title: 'Majority',
  about:
    'The majority of k independent answers of the base model, k being `agents` (Table 1; self-consistency).',
  answer: 'majority',
  fixes: { iterations: 0, rounds: 1 },
  roles: [generation],
};
