import { generation } from '../roles.ts';
import type { Method } from './method.ts';

export const base: Method = {
  title: 'Base',
  about: 'One answer of the base model (Table 1). The mean over the agents, which here are samples.',
  answer: 'single',
  fixes: { iterations: 0, rounds: 1 },
  roles: [generation],
};
