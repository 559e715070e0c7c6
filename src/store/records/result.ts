/** What does a finished experiment or study leave: the contents of result.json and study.json? */
import { z } from 'zod';
import { noneCutOff } from '../../algorithm/finish-reasons.ts';
import { guardMetrics, guardOutcomes } from '../../algorithm/guard.ts';
import { methodNames } from '../../algorithm/methods.ts';
import { objectiveNames } from '../../algorithm/objectives.ts';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { findDocument } from '../files/documents.ts';
import { experimentFiles, type Store } from '../store.ts';
import { configChangeSchema, differenceFromBegun } from './config-changes.ts';

/** How a night of a series ended. */
export const nightOutcomeSchema = z.strictObject({
  series: z.string(),
  /** Its number in the series, from 1. */
  sequence: z.number().int(),
  /** The night with whose agents it began; null for the base model. */
  from: z.string().nullable(),
  outcome: z.enum(['accepted', 'fell', 'overtaken']),
  /** The outcome as a sentence, with the figures. */
  said: z.string(),
});
export type NightOutcome = z.infer<typeof nightOutcomeSchema>;

const accuracySchema = z.strictObject({ accuracy: z.number(), standardError: z.number() });

const cutOffCountSchema = z.strictObject({
  cut: z.number().int(),
  of: z.number().int(),
  /** cut / of; null when `of` is 0. */
  share: z.number().nullable(),
});

/**
 * How many of the agents' responses, of all rounds, and how many of the summaries were cut off at `max_tokens` (or by the server in another
 * way). Of those whose finish reason is known: none in records of older versions. See CutOff in src/algorithm/finish-reasons.ts.
 */
const cutOffSchema = z
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
const guardResultSchema = z.strictObject({
  metric: z.enum(guardMetrics),
  best: whole,
  stopped: whole.nullable(),
  steps: z.array(z.strictObject({ ...stepShape, from: whole.nullable() })),
  /** The iterations whose training is no part of the experiment's agents. */
  rolledBack: z.array(whole),
  said: z.string(),
});

/** See AnswerChoice in src/algorithm/guard.ts. */
const answerChoiceSchema = z.strictObject({
  by: z.enum(['debate', 'first vote']),
  iteration: whole,
  saved: whole,
  spoilt: whole,
  pValue: z.number(),
  said: z.string(),
});

const tokensSchema = z.strictObject({ prompt: z.number().int(), completion: z.number().int() });
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

/** See `didMove` in src/algorithm/training-steps.ts. */
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

/** What makes the result of an experiment worth less than it looks. src/report/findings/warnings.ts finds them. */
export const warningSchema = z.strictObject({
  kind: z.enum([
    'endpoint',
    'embedded model',
    'questions changed',
    'base model unrecorded',
    'cut off',
    'unreadable',
    'not trained',
    'did not move',
    'too long',
    'one vote',
    'corrected unused',
    'few pairs',
    'displaced',
    'small guard',
    'small sample',
  ]),
  /** What is so, with its numbers. */
  says: z.string(),
  /** What can be done about it. */
  remedy: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

const stepLossSchema = z.strictObject({ step: z.number().int(), loss: z.number() }).readonly();
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

/** The content of result.json, and the workflow's result. */
export const experimentResultSchema = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string(),
  /** First the evaluation of the base model, then one after each iteration. */
  evaluations: z.array(evaluationSchema),
  /** For iterations that measured it: the majority of the number of first answers that costs the same tokens as the debate. */
  equalTokens: z.array(
    z.strictObject({
      iteration: z.number().int(),
      votes: z.number().int(),
      majority: accuracySchema,
      tokens: tokensSchema,
    }),
  ),
  /** Evaluations on the held-out questions of other tasks, of the base model and of the agents of the last iteration. */
  transfer: z.array(evaluationSchema.extend({ task: z.string() })),
  iterations: z.array(
    z.strictObject({
      iteration: z.number().int(),
      consensus: consensusSchema,
      /** Of the training debates. */
      cutOff: cutOffSchema,
      datasets: z.array(datasetSchema),
      fineTunes: z.array(fineTuneSchema),
    }),
  ),
  tokens: z.strictObject({ debate: tokensSchema, evaluation: tokensSchema, fineTune: z.number().int() }),
  /** Wall time of each phase over all iterations, by the workflow's clock. */
  seconds: z.strictObject({
    evaluation: z.number(),
    debate: z.number(),
    datasets: z.number(),
    fineTune: z.number(),
    total: z.number(),
  }),
  /** The gravest first. Results of older versions have none. */
  warnings: z.array(warningSchema).default([]),
  /** Only with validation questions, with `guard` and with `answer: auto`. */
  validation: z.array(guardFiguresSchema).exactOptional(),
  guard: guardResultSchema.exactOptional(),
  answer: answerChoiceSchema.exactOptional(),
  /** Only for a night of a series that is in the series' ledger. */
  night: nightOutcomeSchema.optional(),
  /** The settings that were changed while it ran, in the order of the changes; absent when there are none. */
  changes: z.array(configChangeSchema).optional(),
  /** The versions of colloquy, node, python, torch, transformers, peft and trl, if the experiment used them. */
  versions: z.record(z.string(), z.string()),
  /** Paths relative to the experiment's folder. */
  files: z.strictObject({ config: z.string(), evaluation: z.string(), report: z.string() }),
});
export type ExperimentResult = z.infer<typeof experimentResultSchema>;

/** studies/NAME/study.json: the experiments of a study. */
export const studyDocumentSchema = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string(),
  cells: z.array(
    z.strictObject({
      name: experimentNameSchema,
      experiment: z.string(),
      method: z.enum(methodNames),
      seed: z.number().int(),
    }),
  ),
});
export type StudyDocument = z.infer<typeof studyDocumentSchema>;

/** The workflow's result. */
export type StudyResult = {
  readonly name: string;
  /** The number of experiments in the study. */
  readonly experiments: number;
  readonly finished: number;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** Names in the study's folder. */
  readonly files: readonly string[];
};

/**
 * The result of an experiment that was finished with this config and at least this number of iterations, or that its guard has ended; null when there is none. Damaged
 * files are set aside, so that the experiment's next run makes them again.
 */
export async function findFinished(
  store: Store,
  name: string,
  config: ExperimentConfig,
): Promise<ExperimentResult | null> {
  const files = experimentFiles(store, name);
  const begun = await findDocument(files.config, storedConfigSchema);
  const result = await findDocument(files.result, experimentResultSchema);
  if (begun === null || result === null) return null;
  if ((await differenceFromBegun(files, config)).some(({ path }) => path !== 'iterations')) return null;
  const ended = (result.guard?.stopped ?? null) !== null;
  return ended || (result.evaluations.at(-1)?.iteration ?? -1) >= config.iterations ? result : null;
}
