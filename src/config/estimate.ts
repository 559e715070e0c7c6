/** What will an experiment take? Estimated before it begins, from its config and the number and length of its questions. */
import { methods } from '../algorithm/methods.ts';
import type { ExperimentConfig } from './experiment.ts';
import { expectedFineTunes } from './training-plan.ts';

/** The questions of an experiment. */
export type QuestionCounts = {
  readonly train: number;
  readonly heldOut: number;
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
  /** Optimiser steps of all fine-tunes. */
  readonly steps: number;
  /** Rows and journals, without the models. */
  readonly bytes: number;
};

/**
 * An answer is taken to use 45 % of `max_tokens`, at most 350 tokens; a token of an English text to have 4 characters, and one of the
 * embedded model's notation 1. Every debate is taken to have all its rounds. So it may be wrong by a factor of two or three.
 *
 * With the embedded model (quickstart) 17,400 answers were estimated to read 948,000 tokens and write 501,000; they read 956,000 and wrote 492,000.
 */
export function estimate(config: ExperimentConfig, questions: QuestionCounts): Estimate {
  const { agents, rounds, iterations, summarize, max_others: maxOthers } = config;
  const { learning, answer } = methods[config.method];
  const written = Math.min(0.45 * config.sampling.max_tokens, 350);
  const terse = config.prompts === 'terse';
  const instructions = terse ? 2 : 60;
  const asked = questions.characters / (terse ? 1 : 4) + instructions;
  const others = Math.min(agents - 1, maxOthers) * written;
  const summaries = summarize && agents > 1 ? rounds - 1 : 0;

  const debates =
    (learning === undefined ? 0 : iterations * questions.train) +
    (iterations + 1) *
      questions.heldOut *
      (config.equal_tokens && answer === 'debate' && rounds > 1 ? 2 : 1) +
    (iterations > 0 ? 2 : 1) * questions.transfer;
  const revisions = Array.from({ length: rounds - 1 }, (_, round) => {
    const own = asked + (round + 1) * (written + instructions);
    return own + (summaries > 0 ? written : others);
  });
  const readByAgent = asked + sum(revisions) + summaries * (asked + others);
  const answers = debates * agents * (rounds + summaries);
  const learners = learning?.models === 'each agent' ? agents : 1;
  return {
    answers,
    tokens: { read: Math.round(debates * agents * readByAgent), written: Math.round(answers * written) },
    steps: sum(expectedFineTunes(config, questions.train).map(({ steps }) => steps)) * learners * iterations,
    // Each answer is in a journal and in a dialogue, which later prompts and rows repeat.
    bytes: Math.round(answers * written * (terse ? 1 : 4) * 4 + debates * 1_000),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
