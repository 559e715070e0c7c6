/** What does a finished experiment or study leave in result.json, and what has an experiment used of its budget, as far as its store knows? */
import { z } from 'zod';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { findDocument } from '../files/documents.ts';
import {
  begunIterations,
  type ExperimentFiles,
  experimentFiles,
  namesInStore,
  type Store,
} from '../store.ts';
import {
  accuracySchema,
  answerChoiceSchema,
  cutOffSchema,
  distilledRecordSchema,
  earlyStopSchema,
  evaluationSchema,
  guardFiguresSchema,
  guardResultSchema,
  iterationSchema,
  pairedTestSchema,
  tokensSchema,
} from './iteration.ts';
import { configChangeSchema, differenceFromBegun } from './config-changes.ts';
import { further, nothingUsed, together, type UsedSoFar } from '../../algorithm/steering.ts';
import { writeBytes } from '../blobs.ts';
import { evaluationRecordSchema, iterationRecordSchema } from './rows.ts';

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
  iterations: z.array(iterationSchema),
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

/** NAME/used.json: written at the end of each step that costs something, so that a chain of runs goes on from what those before it used. */
export const usedSchema = z.strictObject({
  formatVersion: z.literal(1),
  tokens: z.number().int(),
  device_seconds: z.number(),
  wall_seconds: z.number(),
});

/**
 * What the experiment has used so far: by its used.json, or by the records of its finished work where it had no budget until now.
 *
 * @throws StoreNotWritable, OtherVersion
 */
export async function usedBefore(files: ExperimentFiles): Promise<UsedSoFar> {
  const found = await findDocument(files.used, usedSchema);
  const recorded = await usedByRecords(files);
  if (found === null) return recorded;
  const { formatVersion: _, ...used } = found;
  return further(used, recorded);
}

/**
 * What several experiments have used together.
 *
 * @param finished of those that are over, by name: what they have used is not read again
 */
export async function usedTogether(
  cells: readonly { readonly name: string; readonly config: ExperimentConfig }[],
  store: Store,
  finished = new Map<string, UsedSoFar>(),
): Promise<UsedSoFar> {
  const all: UsedSoFar[] = [];
  for (const { name, config } of cells) {
    const known = finished.get(name);
    const files = experimentFiles(store, name);
    const over = known !== undefined || (await findFinished(store, name, config)) !== null;
    const used = known ?? (await usedBefore(files));
    if (over) finished.set(name, used);
    all.push(used);
  }
  return together(all);
}

/**
 * Adds to what an experiment has used. Steps end at the same moment, and each knows only what it was told when it began: the greatest count
 * stays. Two that write at once may lose the greater one, which the next step that ends writes again.
 *
 * @throws DiskFull, StoreNotWritable, OtherVersion
 */
export async function noteUsed(files: ExperimentFiles, used: UsedSoFar): Promise<void> {
  const found = await findDocument(files.used, usedSchema);
  const { tokens, device_seconds, wall_seconds } = further(used, found ?? nothingUsed);
  const known =
    found !== null &&
    found.tokens === tokens &&
    device_seconds - found.device_seconds < worthWriting &&
    wall_seconds - found.wall_seconds < worthWriting;
  if (known) return;
  // Without a seal: a step that writes it would find the seal of another one beside its bytes, and take that for damage.
  const text = JSON.stringify({ formatVersion: 1, tokens, device_seconds, wall_seconds });
  await writeBytes(files.used, `${text}\n`);
}

/** Seconds: shards may end many times a second. */
const worthWriting = 1;

/** The tokens and seconds of finished iterations and evaluations. */
async function usedByRecords(files: ExperimentFiles): Promise<UsedSoFar> {
  let used = nothingUsed;
  for (const iteration of await begunIterations(files)) {
    const evaluated = await findDocument(files.evaluation(iteration), evaluationRecordSchema);
    const made = iteration === 0 ? null : await findDocument(files.record(iteration), iterationRecordSchema);
    const { prompt = 0, completion = 0 } = evaluated?.tokens ?? {};
    const debated = made?.tokens.debate ?? { prompt: 0, completion: 0 };
    const onDevice =
      (evaluated?.seconds ?? 0) + (made === null ? 0 : made.seconds.debate + made.seconds.fineTune);
    used = {
      tokens:
        used.tokens +
        prompt +
        completion +
        debated.prompt +
        debated.completion +
        (made?.tokens.fineTune ?? 0),
      device_seconds: used.device_seconds + onDevice,
      wall_seconds: used.wall_seconds + onDevice + (made?.seconds.datasets ?? 0),
    };
  }
  return used;
}
