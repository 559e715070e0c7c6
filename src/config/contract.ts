/**
 * Which messages do TypeScript and the trainer (engine/train.py) exchange? No other file declares them; server-contract.ts has the server's. The program
 * src/config/write-schema.ts writes them to engine/colloquy_engine/protocol/contract.json, with which a test compares the Python classes.
 */
import { z } from 'zod';
import { objectiveNames, type ObjectiveName, objectives } from '../algorithm/objectives.ts';
import { type FineTuneConfig, fineTuneConfigSchema, modelForms } from './fine-tune.ts';

const name = z.string().min(1);
const count = z.int().min(0);
/** SHA-256, in hexadecimal. */
const hash = z.string();

/** How a model is trained: an experiment's `fine_tune`, with the objective of this model alone and nothing left open. */
export const trainerSettingsSchema = fineTuneConfigSchema.extend({
  objective: z.enum(objectiveNames).default('imitation'),
  sft_weight: fineTuneConfigSchema.shape.sft_weight.unwrap().default(0),
});
export type TrainerSettings = z.infer<typeof trainerSettingsSchema>;

export function trainerSettings(config: FineTuneConfig, objective: ObjectiveName): TrainerSettings {
  return { ...config, objective, sft_weight: config.sft_weight ?? objectives[objective].sftWeight };
}

/** A job of the trainer. Paths are absolute. */
export const trainerJobSchema = z
  .strictObject({
    id: name,
    /** A folder or a hub id: see `resolveModel`. */
    base_model: name,
    /** The folder of the adapter or of the whole model (`settings.method`) that training starts from; null for the base model. */
    init_model: name.nullable(),
    dataset: name,
    output_dir: name,
    checkpoint_dir: name,
    seed: z
      .int()
      .min(0)
      .lt(2 ** 32),
    settings: trainerSettingsSchema,
  })
  .readonly();
export type TrainerJob = z.infer<typeof trainerJobSchema>;

/** Asks the trainer to end the job of that id after a checkpoint. The trainer lives on. */
export const stopJobSchema = z.strictObject({ stop: name }).readonly();
export type StopJob = z.infer<typeof stopJobSchema>;

/** What the job of a Ray cluster reads: a fine-tune, and the devices that it asks for. Paths are those of the cluster. */
export const rayJobSchema = z
  .strictObject({
    /** It shows that a node of the cluster sees the store of the worker. */
    nonce: name,
    processes: z.int().min(1).max(1024),
    cpus_per_process: z.int().min(1).max(1024),
    gpus_per_process: z.int().min(0).max(1),
    padding_free: z.boolean().nullable(),
    attn_implementation: name.nullable(),
    job: trainerJobSchema,
  })
  .readonly();
export type RayJob = z.infer<typeof rayJobSchema>;

/** manifest.json of a finished fine-tune, which the trainer writes last: a folder with a manifest is a complete model. */
export const fineTuneManifestSchema = z.looseObject({
  format_version: z.int(),
  base_model: z.looseObject({ name_or_path: z.string(), sha256: hash }),
  /** `adapter`: a folder in PEFT's format, which is loaded on top of the base. `full`: a whole model. */
  form: z.enum(modelForms).exclude(['hosted']),
  /** Hash of the weights that training started from; null for the base model. */
  init_model: hash.nullable(),
  /** `dropped_rows` were longer than max_length; `equal_pairs` were left out as both answers have the same tokens. */
  dataset: z.looseObject({ sha256: hash, rows: count, dropped_rows: count, equal_pairs: count }),
  settings: z.record(z.string(), z.unknown()),
  seed: z.int(),
  steps: count,
  final_loss: z.number(),
  /** The loss over the steps: of at most 50 of them, evenly spread, the first and the last among them. */
  losses: z.array(z.object({ step: count, loss: z.number() })),
  /** The highest learning rate of all steps. */
  peak_learning_rate: z.number(),
  /**
   * How far the fine-tune moved the model: the mean over `tokens` of the completions of `rows` of its own rows of the KL divergence to where
   * it started, in nats. Null when it could not be measured.
   */
  moved: z.looseObject({ kl_per_token: z.number(), tokens: count, rows: count }).nullable(),
  /** How the fine-tune was carried out. This changes only its speed and its rounding. */
  execution: z.looseObject({
    processes: z.int().min(1),
    bf16: z.boolean(),
    /** Its name in transformers. */
    attn_implementation: z.string(),
    padding_free: z.boolean(),
    /** Rows that a device worked on at once, at the end. */
    micro_batch: z.int().min(1),
    gradient_checkpointing: z.boolean(),
  }),
  tokens: count,
  seconds: z.number(),
  files: z.record(z.string(), z.looseObject({ sha256: hash, bytes: count })),
  versions: z.record(z.string(), z.string()),
  /** Of those of the same steps that had answers of both kinds, the mean rewards of wanted and unwanted answers: beta times how much likelier they are than
   * where the training started. None with the objective imitation. */
  rewards: z.array(z.object({ step: count, chosen: z.number(), rejected: z.number() })),
});

/** Why a fine-tune failed. */
export const failureKinds = [
  'nan_loss',
  'out_of_memory',
  'disk_full',
  'bad_data',
  'bad_settings',
  'bad_trainer',
  'missing_model',
  'in_use',
  'internal',
] as const;
export type FailureKind = (typeof failureKinds)[number];

/** The trainer writes these events to stdout, one a line. */
export const trainerEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready') }),
  /** `resumed_from_step`: 0, or the step of the checkpoint that training continues from. `dropped_rows` were longer than max_length. */
  z.object({
    event: z.literal('started'),
    id: z.string(),
    total_steps: count,
    resumed_from_step: count,
    rows: count,
    dropped_rows: count,
  }),
  z.object({
    event: z.literal('step'),
    id: z.string(),
    step: count,
    total_steps: count,
    loss: z.number(),
    learning_rate: z.number(),
    tokens_per_second: z.number(),
    epoch: z.number(),
    /** The bytes that one more trainer of this base model takes, as far as is known; null where one trainer uses the whole machine. */
    memory: count.nullable(),
  }),
  /**
   * There was not enough memory: from now on the device works on `rows` at once, with or without gradient checkpointing. A step has as many
   * rows as before.
   */
  z.object({
    event: z.literal('micro_batch'),
    id: z.string(),
    step: count,
    rows: z.int().min(1),
    gradient_checkpointing: z.boolean(),
  }),
  z.object({ event: z.literal('checkpoint'), id: z.string(), step: count, path: z.string() }),
  /** `memory`: as in a step. */
  z.object({
    event: z.literal('done'),
    id: z.string(),
    output_dir: z.string(),
    manifest: fineTuneManifestSchema,
    memory: count.nullable(),
  }),
  /** `id` is null when the job could not be read. */
  z.object({
    event: z.literal('failed'),
    id: z.string().nullable(),
    kind: z.enum(failureKinds),
    message: z.string(),
  }),
  /** The trainer was asked to stop; `checkpoint` is the newest one. */
  z.object({ event: z.literal('stopped'), id: z.string(), step: count, checkpoint: z.string().nullable() }),
]);
export type TrainerEvent = z.infer<typeof trainerEventSchema>;
export type TrainerDone = Extract<TrainerEvent, { event: 'done' }>;
/** The events that a fine-tune sends before it is done or has failed. */
export type TrainerProgress = Extract<
  TrainerEvent,
  { event: 'started' | 'step' | 'micro_batch' | 'checkpoint' | 'stopped' }
>;
