import { base } from './base.ts';
import { cooperative } from './cooperative.ts';
import { debate } from './debate.ts';
import { majorityFt } from './majority-ft.ts';
import { majority } from './majority.ts';
import type { Method } from './method.ts';
import { multiagentFt } from './multiagent-ft.ts';
import { noCritic } from './no-critic.ts';
import { noSummary } from './no-summary.ts';
import { singleAgentNoDebate } from './single-agent-no-debate.ts';
import { singleAgent } from './single-agent.ts';
import { star } from './star.ts';
import { uniqueId } from './unique-id.ts';

/** What a config calls the methods, in the order of the paper's tables. */
export const methodNames = [
  'base',
  'majority',
  'debate',
  'star',
  'majority-ft',
  'multiagent-ft',
  'no-summary',
  'no-critic',
  'single-agent',
  'single-agent-no-debate',
  'cooperative',
  'unique-id',
] as const;
export type MethodName = (typeof methodNames)[number];

export const methods: Readonly<Record<MethodName, Method>> = {
  base,
  majority,
  debate,
  star,
  'majority-ft': majorityFt,
  'multiagent-ft': multiagentFt,
  'no-summary': noSummary,
  'no-critic': noCritic,
  'single-agent': singleAgent,
  'single-agent-no-debate': singleAgentNoDebate,
  cooperative,
  'unique-id': uniqueId,
};
