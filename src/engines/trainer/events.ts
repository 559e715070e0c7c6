/** What engine/train.py says on its stdout: one JSON event a line. Names are those of the protocol (TRL's). */
import { z } from 'zod';

const id = z.string();
const step = z.number().int().nonnegative();

/** The manifest.json of a finished fine-tune, as far as this side reads it. */
export const fineTuneManifestSchema = z.looseObject({
  format_version: z.number().int(),
  base_model: z.looseObject({ name_or_path: z.string(), sha256: z.string() }),
  init_adapter: z.string().nullable(),
  dataset: z.looseObject({ sha256: z.string(), rows: z.number().int() }),
  settings: z.record(z.string(), z.unknown()),
  seed: z.number().int(),
  steps: z.number().int(),
  final_loss: z.number().nullable(),
  tokens: z.number(),
  seconds: z.number(),
  files: z.record(z.string(), z.looseObject({ sha256: z.string(), bytes: z.number().int() })),
  versions: z.record(z.string(), z.string()),
});
export type FineTuneManifest = z.infer<typeof fineTuneManifestSchema>;

export const failureKinds = [
  'nan_loss',
  'out_of_memory',
  'disk_full',
  'bad_data',
  'bad_settings',
  'missing_model',
  'in_use',
  'internal',
] as const;
export type FailureKind = (typeof failureKinds)[number];

export const trainerEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready') }),
  z.object({
    event: z.literal('started'),
    id,
    total_steps: step,
    /** 0, or the step of the checkpoint from which it goes on. */
    resumed_from_step: step,
  }),
  z.object({
    event: z.literal('step'),
    id,
    step,
    total_steps: step,
    loss: z.number().nullable(),
    learning_rate: z.number().nullable(),
    tokens_per_second: z.number().nullable(),
    epoch: z.number().nullable(),
  }),
  z.object({ event: z.literal('checkpoint'), id, step, path: z.string() }),
  z.object({ event: z.literal('done'), id, output_dir: z.string(), manifest: fineTuneManifestSchema }),
  /** Its id is null where the job could not even be read. */
  z.object({
    event: z.literal('failed'),
    id: id.nullable(),
    kind: z.enum(failureKinds),
    message: z.string(),
  }),
  /** It was told to leave, and did so after a checkpoint. */
  z.object({ event: z.literal('stopped'), id, step, checkpoint: z.string().nullable() }),
]);
export type TrainerEvent = z.infer<typeof trainerEventSchema>;
export type TrainerDone = Extract<TrainerEvent, { event: 'done' }>;
/** What a running fine-tune tells besides its end. */
export type TrainerProgress = Extract<TrainerEvent, { event: 'started' | 'step' | 'checkpoint' | 'stopped' }>;
