/** What is kept of an iteration: of its evaluation, its datasets and its fine-tunes? result.json and the records of each step have it. */
import { z } from 'zod';
import { noneCutOff } from '../../algorithm/measures/cost.ts';
import { guardMetrics, guardOutcomes } from '../../algorithm/guard.ts';
import { distillSources, objectiveNames } from '../../algorithm/objectives.ts';

export const accuracySchema = z.strictObject({ accuracy: z.number(), standardError: z.number() });

const cutOffCountSchema = z.strictObject({
  cut: z.number().int(),
  of: z.number().int(),
  /** cut / of; null when `of` is 0. */
  share: z.number().nullable(),
});

/**
 * How many of the agents' responses, of all rounds, and how many of the summaries were cut off at `max_tokens` (or by the server in another
 * way). Of those whose finish reason is known: none in records of older versions. See CutOff in src/algorithm/measures/cost.ts.
 */
export const cutOffSchema = z
  .strictObject({ responses: cutOffCountSchema, summaries: cutOffCountSchema })
  .default(noneCutOff);

/** See Evaluation in src/algorithm/evaluation.ts, which computes it. */
export const evaluationSchema = z.strictObject({
  iteration: z.number().int(),
  questions: z.number().int(),
  single: accuracySchema,
  majority: accuracySchema,
  debate: accuracySchema,
  debateVersusBase: z.strictObject({ wins: z.number().int(), losses: z.number().int(), pValue: z.number() }),
  cutOff: cutOffSchema,
});

const whole = z.number().int();

export const tokensSchema = z.strictObject({ prompt: z.number().int(), completion: z.number().int() });
const partSchema = z.strictObject({ available: z.number().int(), used: z.number().int() });

/** The dataset of a model in an iteration. Sizes are rows. */
const datasetSchema = z.strictObject({
  /** The agents that have the model: one, or several that share it. */
  agents: z.array(z.number().int()),
  role: z.string(),
  rows: z.number().int(),
  /**
   * The parts from which it was mixed, by name: a critic dataset has `corrected` and `kept`. `pairs` are those of an objective that compares
   * answers, also where they were too few and the model kept to imitation.
   */
  parts: z.record(z.string(), partSchema),
  /** Responses that were left out because they were cut off. */
  cut: z.number().int().default(0),
  /** By which the model learnt from it. Absent for imitation, also where a model had too few pairs for the objective of its role. */
  objective: z.enum(objectiveNames).exactOptional(),
});

/** The votes of an iteration's training debates. Counts of questions, except where another unit is named. */
const consensusSchema = z.strictObject({
  questions: z.number().int(),
  unanimous: z.number().int(),
  ties: z.number().int(),
  /** Questions that gave no data, because no answer could be parsed or the votes were fewer than `min_votes`. */
  withoutLabel: z.number().int(),
  unparsableAnswers: z.number().int(),
  /** Prompts that lost some turns so that they fit into the model's context. */
  truncatedPrompts: z.number().int(),
  /** Questions whose label has one vote in a debate of several agents. Records of older versions do not have it. */
  oneVote: z.number().int().optional(),
  /** All answers, in all rounds. Records of older versions do not have it. */
  answers: z.number().int().optional(),
});

const movedSchema = z
  .strictObject({
    /** The mean KL divergence of the trained model to where it started, over these tokens, in nats. */
    klPerToken: z.number(),
    /** Of the completions of a sample of its own rows. */
    tokens: z.number().int(),
    rows: z.number().int(),
  })
  .readonly();
export type Moved = z.infer<typeof movedSchema>;

/**
 * A fine-tune that moved its model by less than this did not move it, in nats a token. An answer of 100 tokens then differs by less than
 * 0.01 nats, so that by Pinsker's inequality at most 7 in 100 answers can come out differently. Measured: 9e-8 to 3e-7 where the learning
 * rate was far too low, 7e-3 in the quickstart.
 */
export const leastMove = 1e-4;

/** Whether a fine-tune moved its model; null when that was not measured. */
export function didMove(moved: Pick<Moved, 'klPerToken'> | null): boolean | null {
  return moved === null ? null : moved.klPerToken >= leastMove;
}

export const stepLossSchema = z.strictObject({ step: z.number().int(), loss: z.number() }).readonly();
/** The loss of an optimiser step. */
export type StepLoss = z.infer<typeof stepLossSchema>;

const rewardsSchema = z
  .strictObject({ step: z.number().int(), chosen: z.number(), rejected: z.number() })
  .readonly();
/**
 * How much likelier wanted and unwanted answers are than where the training started: beta times the difference of their log-likelihoods, the
 * mean of a step. Their difference is the reward margin; below 0 for wanted ones, they have become less likely too (displacement).
 */
export type Rewards = z.infer<typeof rewardsSchema>;

const fineTuneSchema = z.strictObject({
  /** The agent that has the model; the first of several that share it. */
  agent: z.number().int(),
  role: z.string(),
  /** Null when the dataset was empty, so that the model did not change. */
  model: z.string().nullable(),
  /** Of its dataset, with those of `droppedRows`. */
  rows: z.number().int(),
  /** Optimiser steps. */
  steps: z.number().int(),
  finalLoss: z.number().nullable(),
  /** Rows longer than `fine_tune.max_length`, which the trainer left out. Older versions did not write it. */
  droppedRows: z.number().int().default(0),
  /** The loss over at most 50 of its steps, evenly spread. None when it was not trained, or by an older version. */
  losses: z.array(stepLossSchema).default([]),
  /** The highest learning rate of all steps. Null when it was not trained, or by an older version. */
  peakLearningRate: z.number().nullable().default(null),
  /** How far it moved. Null when it was not trained, when that could not be measured, or when an older version trained it. */
  moved: movedSchema.nullable().default(null),
  /** Of its last step. Absent when it was not trained, or by imitation. */
  rewards: rewardsSchema.exactOptional(),
});

/** The work of an iteration before its evaluation. */
export const iterationSchema = z.strictObject({
  iteration: z.number().int(),
  consensus: consensusSchema,
  /** Of the training debates. */
  cutOff: cutOffSchema,
  datasets: z.array(datasetSchema),
  fineTunes: z.array(fineTuneSchema),
});

/** iteration-I/distilled.json: the one model that the group was distilled into after iteration I. */
export const distilledRecordSchema = z.strictObject({
  from: z.enum(distillSources),
  /** Of the config. The one by which it learnt is that of the dataset. */
  objective: z.enum(objectiveNames),
  /** Training questions with a label, and by agent how many first answers equal it. */
  labelled: z.number().int(),
  agreed: z.array(z.number().int()),
  dataset: datasetSchema,
  /** Without a model when there was nothing to learn from. */
  fineTune: fineTuneSchema,
  /** Of the fine-tune. */
  tokens: z.number().int(),
  seconds: z.strictObject({ dataset: z.number(), fineTune: z.number() }),
});
export type DistilledRecord = z.infer<typeof distilledRecordSchema>;

export const pairedTestSchema = z.strictObject({
  wins: z.number().int(),
  losses: z.number().int(),
  pValue: z.number(),
});

/** See EarlyStop in src/algorithm/measures/cost.ts. */
export const earlyStopSchema = z
  .strictObject({
    debates: z.number().int(),
    stopped: z.number().int(),
    stoppedTokens: z.number().int(),
    firstRoundTokens: z.number().int(),
    laterTokens: z.number().int(),
  })
  .readonly();

/** See GuardFigures in src/algorithm/guard.ts. */
export const guardFiguresSchema = z.strictObject({
  iteration: whole,
  questions: whole,
  accuracy: accuracySchema,
  firstVote: accuracySchema,
  debateVersusFirstVote: evaluationSchema.shape.debateVersusBase,
  agreement: z.number(),
  entropy: z.number(),
  unreadable: z.number(),
  length: z.number(),
  chosenReward: z.number().nullable(),
  ownNll: z.number().nullable(),
  klToBase: z.number().nullable(),
});

const stepShape = { iteration: whole, value: z.number(), outcome: z.enum(guardOutcomes) };

/** See GuardCourse in src/algorithm/guard.ts. */
export const guardResultSchema = z.strictObject({
  metric: z.enum(guardMetrics),
  best: whole,
  stopped: whole.nullable(),
  steps: z.array(z.strictObject({ ...stepShape, from: whole.nullable() })),
  /** The iterations whose training is no part of the experiment's agents. */
  rolledBack: z.array(whole),
  said: z.string(),
});

/** See AnswerChoice in src/algorithm/guard.ts. */
export const answerChoiceSchema = z.strictObject({
  by: z.enum(['debate', 'first vote']),
  iteration: whole,
  saved: whole,
  spoilt: whole,
  pValue: z.number(),
  said: z.string(),
});
