import type { Role } from '../agents.ts';
import type { Dataset } from '../dataset.ts';
import type { CriticSettings } from '../imitation-datasets.ts';
import type { Match } from '../labelled-debate.ts';
import type { Stance } from '../prompts.ts';

/**
 * A method of the paper, one of its baselines or ablations: who answers, who learns, and how debates become datasets. All else (the
 * loop, the vote, the evaluation) is the same for all. docs/methods.md is made of these.
 */
export type Method = {
  /** As tables call it. */
  readonly title: string;
  /** What it is, in one or two sentences, with its place in the paper. */
  readonly about: string;
  /**
   * Which figure of an evaluation is its own: one answer (the mean over agents), the majority of the agents' first answers, or the
   * consensus of the debate.
   */
  readonly answer: 'single' | 'majority' | 'debate';
  /** The settings that make it what it is, under the names of a config: nobody can set them otherwise. */
  readonly fixes: FixedByMethod;
  readonly roles: readonly Role[];
  readonly stance?: Stance;
  /** Each agent is told its number. */
  readonly identified?: true;
  /** How it learns; absent when it does not. */
  readonly learning?: Learning;
};

export type FixedByMethod = {
  readonly iterations?: 0;
  readonly rounds?: 1;
  readonly summarize?: false;
  readonly label_source?: 'gold';
};

export type Learning = {
  /** `each agent` has models of its own; with `all agents` they are copies of the same models, learning from all (or some) of them. */
  readonly models: 'each agent' | 'all agents';
  /** What training questions are taken through: a debate of all agents, or STaR's answer and rationale of agent 1. */
  readonly conversation: 'debate' | 'bootstrap';
  /**
   * The datasets of the models that `agents` share, by role. A pure function of which answers equal the label.
   *
   * @param agents 1..N; just one when each agent has its own models
   */
  readonly datasets: (
    agents: readonly number[],
    debates: readonly Match[],
    settings: CriticSettings,
  ) => Readonly<Record<string, Dataset>>;
};

/** Who shares models: each agent has its own, or all agents have the same. By agent number; one set of datasets and fine-tunes for each. */
export function learnerGroups(
  agents: number,
  learning: Learning | undefined,
): readonly (readonly number[])[] {
  const numbers = Array.from({ length: agents }, (_, index) => index + 1);
  if (learning === undefined) return [];
  return learning.models === 'each agent' ? numbers.map((number) => [number]) : [numbers];
}
