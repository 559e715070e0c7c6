/** What will an experiment take (answers, tokens, steps and disk), and will that fit into its budget? An estimate, before any model is asked a question. */
import { type BudgetKind, type Limits } from '../algorithm/steering.ts';
import { generation } from '../algorithm/agents.ts';
import { methods } from '../algorithm/methods.ts';
import { compares } from '../algorithm/objectives.ts';
import { count, duration } from '../text/figures.ts';
import { expectedFineTunes, optimiserSteps } from './training-plan.ts';
import { agentsOf, hasSummaries } from './agents.ts';
import { agentCount, type ExperimentConfig } from './experiment.ts';

/** The questions of an experiment. */
export type QuestionCounts = {
  readonly train: number;
  readonly heldOut: number;
  /** Debated after each iteration, as the held-out ones are; absent without validation questions. */
  readonly validation?: number;
  /** Held-out questions of the tasks of `transfer`, all together. */
  readonly transfer: number;
  /** The mean length of a question in characters. */
  readonly characters: number;
};

export type Estimate = {
  /** Answers and summaries that models are asked for. */
  readonly answers: number;
  /** What they read and write in all. */
  readonly tokens: { readonly read: number; readonly written: number };
  /** Optimiser steps of all fine-tunes, and the tokens of the rows that they see, each row once an epoch. */
  readonly steps: number;
  readonly trainedTokens: number;
  /** Rows and journals, without the models. */
  readonly bytes: number;
};

/**
 * What an experiment will take, from its config and the number and length of its questions.
 *
 * An answer is taken to use 45 % of `max_tokens`, at most 350 tokens; with more room than the paper's 2,048 tokens, and where
 * `enable_thinking` says so, the model is taken to think before it answers, and to use the 45 %, of which others are shown 350. A token of an English text is taken to have 4 characters, and one of
 * the embedded model's notation 1. Every debate is taken to have all its rounds. So it may be wrong by a factor of two or three.
 *
 * With the embedded model (quickstart) 17,400 answers were estimated to read 935,000 tokens and write 501,000; they read 956,000 and wrote 492,000.
 */
export function estimate(config: ExperimentConfig, questions: QuestionCounts): Estimate {
  const { rounds, iterations, max_others: maxOthers } = config;
  const agents = agentCount(config);
  const { learning, answer } = methods[config.method];
  const answersOfAgents = agentsOf(config).map(({ sampling: { max_tokens, enable_thinking } }) => {
    const share = 0.45 * max_tokens;
    const shown = Math.min(share, 350);
    const thinks = enable_thinking ?? max_tokens > longestUnthought;
    return { shown, written: thinks ? share : shown };
  });
  const shown = mean(answersOfAgents.map((each) => each.shown));
  const written = mean(answersOfAgents.map((each) => each.written));
  const terse = config.prompts === 'terse';
  const instructions = terse ? 2 : 60;
  const asked = questions.characters / (terse ? 1 : 4) + instructions;
  const others = Math.min(agents - 1, maxOthers) * shown;
  const summaries = hasSummaries(config) ? rounds - 1 : 0;

  const debates =
    (learning === undefined ? 0 : iterations * questions.train) +
    (iterations + 1) *
      questions.heldOut *
      (config.equal_tokens && answer === 'debate' && rounds > 1 ? 2 : 1) +
    (iterations + 1) * (questions.validation ?? 0) +
    (iterations > 0 ? 2 : 1) * questions.transfer;
  const revisions = Array.from({ length: rounds - 1 }, (_, round) => {
    const own = asked + (round + 1) * (shown + instructions);
    return own + (summaries > 0 ? shown : others);
  });
  const readByAgent = asked + sum(revisions) + summaries * (asked + others);
  const distilled = distilledRows(config, questions.train);
  const alone = config.distill === undefined ? 0 : questions.heldOut;
  const samples = learning === undefined ? 0 : iterations * questions.train * agents * (config.samples ?? 0);
  const answers = debates * agents * (rounds + summaries) + alone + samples;
  const learners = learning?.models === 'each agent' ? agents : 1;
  const fineTunes = expectedFineTunes(config, questions.train);
  // A row is the last answer of a role with all that it read before.
  const tokensOfRow = (role: string) =>
    (role === generation.name && rounds > 1 ? asked : (revisions.at(-1) ?? asked)) + written;
  return {
    answers,
    tokens: {
      read: Math.round(debates * agents * readByAgent + (alone + samples) * asked),
      written: Math.round(answers * written),
    },
    steps:
      sum(fineTunes.map(({ steps }) => steps)) * learners * iterations +
      optimiserSteps(distilled, config.fine_tune),
    trainedTokens: Math.round(
      sum(fineTunes.map(({ rows, role }) => rows * tokensOfRow(role))) *
        config.fine_tune.num_train_epochs *
        learners *
        iterations +
        distilled * (asked + written) * config.fine_tune.num_train_epochs,
    ),
    // Each answer is in a journal and in a dialogue, which later prompts and rows repeat.
    bytes: Math.round(answers * written * (terse ? 1 : 4) * 4 + debates * 1_000),
  };
}

/** The rows that the distilled model is expected to have, by `expectation`: 15 of 20 answers, or at most one pair of a question. */
function distilledRows({ distill, agents }: ExperimentConfig, questions: number): number {
  if (distill === undefined) return 0;
  const rows = questions * (distill.from === 'best' ? 1 : agentCount({ agents })) * 0.75;
  return Math.round(compares(distill.objective) ? Math.min(rows, questions) : rows);
}

/** The paper's `max_tokens`. With more, a model is taken to think before it answers, unless `enable_thinking` says whether it does. */
const longestUnthought = 2048;

/** Equal values give exactly that value, without rounding. */
const mean = (values: readonly number[], [first = 0] = values): number =>
  first + sum(values.map((value) => value - first)) / values.length;

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The parts of an estimate that a budget limits; seconds are null where no experiment has shown yet how long it will take. */
type Expected = {
  readonly tokens: { readonly read: number; readonly written: number };
  readonly trainedTokens: number;
  readonly seconds: number | null;
};

/** Whether an experiment is expected to stay within its budget, in a sentence for each limit. */
export function budgetOutlook(
  limits: Limits,
  { tokens, trainedTokens, seconds: expected }: Expected,
  name = 'budget',
): string[] {
  const all = tokens.read + tokens.written + trainedTokens;
  return [
    outlook(name, 'tokens', limits.tokens, all, count),
    ...(['device_seconds', 'wall_seconds'] as const).map((kind) =>
      outlook(name, kind, limits[kind], expected, duration),
    ),
  ].flat();
}

function outlook(
  name: string,
  kind: BudgetKind,
  limit: number | undefined,
  expected: number | null,
  shown: (value: number) => string,
): string[] {
  if (limit === undefined) return [];
  const of = `${name}.${kind}: ${shown(limit)}`;
  if (expected === null) return [`${of}; how long it will take is not known here`];
  const share = Math.round((100 * expected) / limit);
  return [
    expected > limit
      ? `${of}; the estimate is ${shown(expected)}, ${share} % of it: the experiment will probably wait for a larger budget before its end`
      : `${of}; the estimate is ${shown(expected)}, ${share} % of it`,
  ];
}
