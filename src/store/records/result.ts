/** What does a finished experiment or study leave: the contents of result.json? */
import { z } from 'zod';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { findDocument } from '../files/documents.ts';
import { experimentFiles, namesInStore, type Store } from '../store.ts';
import {
  accuracySchema,
  answerChoiceSchema,
  consensusSchema,
  cutOffSchema,
  datasetSchema,
  distilledRecordSchema,
  earlyStopSchema,
  evaluationSchema,
  fineTuneSchema,
  guardFiguresSchema,
  guardResultSchema,
  pairedTestSchema,
  tokensSchema,
} from './iteration.ts';
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
    'distilled',
    'small guard',
    'small sample',
  ]),
  /** What is so, with its numbers. */
  says: z.string(),
  /** What can be done about it. */
  remedy: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

const distilledSchema = distilledRecordSchema.extend({
  iteration: z.number().int(),
  /** Asked once each held-out question; null when there is no such model. */
  evaluation: z
    .strictObject({
      questions: z.number().int(),
      accuracy: accuracySchema,
      /** Against the group's debate of the same iteration on the same questions (McNemar, exact). */
      versusDebate: pairedTestSchema,
      /** The group's debate. */
      debate: accuracySchema,
      cutOff: cutOffSchema,
      /** Of all its answers, and of all the group's debates on these questions. */
      tokens: tokensSchema,
      debateTokens: tokensSchema,
      seconds: z.number(),
    })
    .nullable(),
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
  /** The one model that the group was distilled into; absent where the config asks for none. Its tokens and seconds are not in those below. */
  distilled: distilledSchema.optional(),
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
  /** Debates that ended after round 1 (`stop_when_unanimous`), on training and on held-out questions. Absent where none may. */
  earlyStops: z
    .array(
      z.strictObject({
        iteration: z.number().int(),
        set: z.enum(['train', 'heldout']),
        counts: earlyStopSchema,
        /** An estimate; null where no debate went on. */
        tokensSaved: z.number().nullable(),
      }),
    )
    .optional(),
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
export type Distilled = z.infer<typeof distilledSchema>;

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

/** The experiments that have a result.json, the one that was written last first. */
export async function finishedNewestFirst(store: Store): Promise<string[]> {
  const names = await namesInStore(store);
  const all = await Promise.all(
    names.map(async (name) => ({
      name,
      at: await store.blobs.writtenAt(experimentFiles(store, name).result.name),
    })),
  );
  const finished = all.flatMap(({ name, at }) => (at === null ? [] : [{ name, at }]));
  return finished.toSorted((a, b) => b.at - a.at).map(({ name }) => name);
}

/** The experiment whose result.json was written last; null when there is none. */
export async function newestFinished(store: Store): Promise<string | null> {
  return (await finishedNewestFirst(store))[0] ?? null;
}
