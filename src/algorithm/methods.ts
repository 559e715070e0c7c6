/** What makes a method, and which are there? The method of the paper, its baselines and its ablations, as data. */
import { critic, generation, generationThroughout, type Role, type Stance } from './agents.ts';
import { bootstrappedDataset } from './bootstrap.ts';
import type { Dataset } from './dataset.ts';
import { criticDataset, type DatasetSettings, generationDataset } from './imitation-datasets.ts';
import type { Match } from './labelled-debate.ts';

/**
 * The method of the paper, or one of its baselines or ablations: who answers, who learns, and how debates become datasets. Everything else
 * (the loop, the vote, the evaluation) is the same for all methods. docs/methods.md describes them.
 */
export type Method = {
  /** Its name in tables. */
  readonly title: string;
  /** A description in one or two sentences, with its place in the paper. */
  readonly about: string;
  /**
   * The accuracy that counts for the method: that of one answer (the mean over agents), of the majority of the agents' first answers, or of
   * the consensus of the debate.
   */
  readonly answer: 'single' | 'majority' | 'debate';
  /** The settings that the method fixes, under the names of a config. A config cannot change them. */
  readonly fixes: FixedByMethod;
  readonly roles: readonly Role[];
  readonly stance?: Stance;
  /** Each agent's prompts have the agent's number. */
  readonly identified?: true;
  /** How it learns; absent when it does not learn. */
  readonly learning?: Learning;
};

export type FixedByMethod = {
  readonly iterations?: 0;
  readonly rounds?: 1;
  readonly summarize?: false;
  readonly label_source?: 'gold';
};

export type Learning = {
  /** `each agent` has models of its own; with `all agents` the agents are copies of the same models, which learn from all or some of them. */
  readonly models: 'each agent' | 'all agents';
  /** The conversation about each training question: a debate of all agents, or STaR's answer and rationale of agent 1. */
  readonly conversation: 'debate' | 'bootstrap';
  /** The agents whose answers are the model's own, where they are not all that share it. */
  readonly own?: readonly number[];
  /**
   * The datasets of the models that `agents` share, by role. They depend only on which answers equal the label.
   *
   * @param agents 1..N; only one when each agent has its own models
   */
  readonly datasets: (
    agents: readonly number[],
    debates: readonly Match[],
    settings: DatasetSettings,
  ) => Readonly<Record<string, Dataset>>;
};

/** The groups of agents that share models, by agent number: one group for each agent, or one for all. A group has its own fine-tunes. */
export function learnerGroups(
  agents: number,
  learning: Learning | undefined,
): readonly (readonly number[])[] {
  const numbers = Array.from({ length: agents }, (_, index) => index + 1);
  if (learning === undefined) return [];
  return learning.models === 'each agent' ? numbers.map((number) => [number]) : [numbers];
}

/** How many models a method fine-tunes in an iteration: 2N for the paper's. 0 for one that does not learn. */
export function modelsOfAnIteration(agents: number, { learning, roles }: Method): number {
  return learnerGroups(agents, learning).length * roles.length;
}

export const base: Method = {
  title: 'Base',
  about:
    'One answer of the base model (Table 1). Its accuracy is the mean over the agents, which are samples here.',
  answer: 'single',
  fixes: { iterations: 0, rounds: 1 },
  roles: [generation],
};

export const majority: Method = {
  title: 'Majority',
  about:
    'The majority of k independent answers of the base model, where k is `agents` (Table 1; self-consistency).',
  answer: 'majority',
  fixes: { iterations: 0, rounds: 1 },
  roles: [generation],
};

export const debate: Method = {
  title: 'Debate',
  about: 'Agents that are all the base model debate; nothing is fine-tuned (Table 1).',
  answer: 'debate',
  fixes: { iterations: 0 },
  roles: [generation, critic],
};

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
    datasets: (agents, debates, settings) => ({ generation: generationDataset(agents, debates, settings) }),
  },
};

export const star: Method = {
  title: 'STaR',
  about:
    'One model learns from its own right answers and, where it was wrong, from the reasoning that it gives to a prompt with the gold answer (Table 1; Zelikman et al. 2022). The only method that sees gold answers. STaR itself starts from the base model each time: `init_from: base`.',
  answer: 'single',
  fixes: { rounds: 1, label_source: 'gold' },
  roles: [generation],
  learning: {
    models: 'all agents',
    conversation: 'bootstrap',
    datasets: (_, debates) => ({ generation: bootstrappedDataset([1], debates) }),
  },
};

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
      generation: generationDataset(agents, debates, settings),
      critic: criticDataset(agents, debates, settings),
    }),
  },
} satisfies Method;

export const noCritic: Method = {
  ...multiagentFt,
  title: 'w/o critic',
  about: 'Multiagent FT with generation models alone, which answer in every round (Table 2).',
  roles: [generationThroughout],
  learning: {
    models: 'each agent',
    conversation: 'debate',
    datasets: (agents, debates, settings) => ({ generation: generationDataset(agents, debates, settings) }),
  },
};

export const noSummary: Method = {
  ...multiagentFt,
  title: 'w/o summary',
  about: 'Multiagent FT whose critics see the other responses themselves, not a summary (Table 2).',
  fixes: { summarize: false },
};

export const singleAgent: Method = {
  ...multiagentFt,
  title: 'Single-agent FT',
  about:
    'One generation and one critic model learn from the debates of all agents, which are copies of them (Table 2).',
  learning: { ...multiagentFt.learning, models: 'all agents' },
};

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
    own: [1],
    datasets: (_, debates, settings) => ({ generation: generationDataset([1], debates, settings) }),
  },
};

export const cooperative: Method = {
  ...multiagentFt,
  title: 'Cooperative FT',
  about: 'Multiagent FT of agents that are asked to build on each other instead of to criticise (Table 3).',
  stance: 'cooperate',
};

export const uniqueId: Method = {
  ...debate,
  title: 'Unique ID',
  about: 'Debate of base models that differ by a number in the prompt instead of by fine-tuning (Table 5).',
  identified: true,
};

/** The names of the methods in a config, in the order of the paper's tables. */
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
