import { z } from 'zod';
import { methodNames } from '../../algorithm/methods/methods.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../../config/experiment.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { configDifference } from '../../config/resolve.ts';
import { findDocument } from '../files/documents.ts';
import { experimentFiles, type Store } from '../store.ts';

/** What became of a night of a series. */
export const nightOutcomeSchema = z.strictObject({
  series: z.string(),
  /** Its number in the series, 1 the first. */
  sequence: z.number().int(),
  /** The night whose agents it began with; null for the base model. */
  from: z.string().nullable(),
  outcome: z.enum(['accepted', 'fell', 'overtaken']),
  /** The same in plain words, with the numbers. */
  said: z.string(),
});
export type NightOutcome = z.infer<typeof nightOutcomeSchema>;

const accuracySchema = z.strictObject({ accuracy: z.number(), standardError: z.number() });

/** See Evaluation in src/algorithm/evaluation.ts, which computes it. */
export const evaluationSchema = z.strictObject({
  iteration: z.number().int(),
  questions: z.number().int(),
  single: accuracySchema,
  majority: accuracySchema,
  debate: accuracySchema,
  debateVersusBase: z.strictObject({ wins: z.number().int(), losses: z.number().int(), pValue: z.number() }),
});

const tokensSchema = z.strictObject({ prompt: z.number().int(), completion: z.number().int() });
const partSchema = z.strictObject({ available: z.number().int(), used: z.number().int() });

/** What a model was trained on in an iteration. Sizes are rows. */
const datasetSchema = z.strictObject({
  /** Whose model it is: one agent's, or one that several share. */
  agents: z.array(z.number().int()),
  role: z.string(),
  rows: z.number().int(),
  /** How it was mixed, by the name of the part: `corrected` and `kept` of a critic dataset. */
  parts: z.record(z.string(), partSchema),
});

/** What the votes of an iteration's training debates looked like. Counts of questions, but for the last two. */
const consensusSchema = z.strictObject({
  questions: z.number().int(),
  unanimous: z.number().int(),
  ties: z.number().int(),
  /** Questions that yielded no data: nothing parsable, or fewer votes than `min_votes`. */
  withoutLabel: z.number().int(),
  unparsableAnswers: z.number().int(),
  /** Prompts that lost turns, to fit into the model's context. */
  truncatedPrompts: z.number().int(),
});

const fineTuneSchema = z.strictObject({
  /** The first of those that share it. */
  agent: z.number().int(),
  role: z.string(),
  /** Null when the dataset was empty, so that the model stayed as it was. */
  model: z.string().nullable(),
  rows: z.number().int(),
  steps: z.number().int(),
  finalLoss: z.number().nullable(),
});

/** The content of result.json, and the workflow's result. */
export const experimentResultSchema = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string(),
  /** First the base model, then each iteration. */
  evaluations: z.array(evaluationSchema),
  /** Of each iteration whose debate has it beside itself: the majority of as many first answers as cost the same tokens. */
  equalTokens: z.array(
    z.strictObject({
      iteration: z.number().int(),
      votes: z.number().int(),
      majority: accuracySchema,
      tokens: tokensSchema,
    }),
  ),
  /** On the held-out questions of other tasks: the base model, and the agents of the last iteration. */
  transfer: z.array(evaluationSchema.extend({ task: z.string() })),
  iterations: z.array(
    z.strictObject({
      iteration: z.number().int(),
      consensus: consensusSchema,
      datasets: z.array(datasetSchema),
      fineTunes: z.array(fineTuneSchema),
    }),
  ),
  tokens: z.strictObject({ debate: tokensSchema, evaluation: tokensSchema, fineTune: z.number().int() }),
  /** Wall time of each phase over all iterations, as the workflow's clock saw it. */
  seconds: z.strictObject({
    evaluation: z.number(),
    debate: z.number(),
    datasets: z.number(),
    fineTune: z.number(),
    total: z.number(),
  }),
  /** Only of a night of a series, once the series knows it. */
  night: nightOutcomeSchema.optional(),
  /** colloquy, node, python, torch, transformers, peft, trl: as far as they took part. */
  versions: z.record(z.string(), z.string()),
  /** Paths relative to the experiment's folder. */
  files: z.strictObject({ config: z.string(), evaluation: z.string(), report: z.string() }),
});
export type ExperimentResult = z.infer<typeof experimentResultSchema>;

/** runs/studies/NAME/study.json: which experiments a study has. */
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
  /** Of how many experiments. */
  readonly experiments: number;
  readonly finished: number;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** Relative to runs/studies/NAME. */
  readonly files: readonly string[];
};

/**
 * The result of an experiment that was finished with this config and at least as many iterations; null when there is none. Damaged
 * files are moved aside, so that the experiment's next run makes them again.
 */
export async function findFinished(
  store: Store,
  name: string,
  config: ExperimentConfig,
): Promise<ExperimentResult | null> {
  const files = experimentFiles(store, name);
  const begun = await findDocument(files.config, experimentConfigSchema);
  const result = await findDocument(files.result, experimentResultSchema);
  if (begun === null || result === null) return null;
  if (configDifference(begun, config).some(({ path }) => path !== 'iterations')) return null;
  return (result.evaluations.at(-1)?.iteration ?? -1) >= config.iterations ? result : null;
}
