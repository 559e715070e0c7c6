/** What makes a method? */
import type { Role } from '../agents.ts';
import type { Dataset } from '../dataset.ts';
import type { DatasetSettings } from '../imitation-datasets.ts';
import type { Match } from '../labelled-debate.ts';
import type { Stance } from '../prompts.ts';

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
