/**
 * Which messages do TypeScript and Python exchange? Those of the trainer (engine/train.py), and those of the server (engine/serve.py)
 * that our client uses. No other file of TypeScript declares them.
 *
 * `npx tsx src/config/write-schema.ts` writes them to engine/colloquy_engine/protocol/contract.json. A test of the engine compares the
 * Python classes with that file, field by field, so the two sides cannot differ.
 */
import { z } from 'zod';
import { samplingSchema } from './experiment.ts';
import { fineTuneConfigSchema, modelForms } from './fine-tune.ts';

const name = z.string().min(1);
const count = z.int().min(0);
/** SHA-256, in hexadecimal. */
const hash = z.string();

/** How a model is trained: an experiment's `fine_tune`. */
export const trainerSettingsSchema = fineTuneConfigSchema;
export type TrainerSettings = z.infer<typeof trainerSettingsSchema>;

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

/** manifest.json of a finished fine-tune, which the trainer writes last: a folder with a manifest is a complete model. */
export const fineTuneManifestSchema = z.looseObject({
  format_version: z.int(),
  base_model: z.looseObject({ name_or_path: z.string(), sha256: hash }),
  /** `adapter`: a folder in PEFT's format, which is loaded on top of the base. `full`: a whole model. */
  form: z.enum(modelForms),
  /** Hash of the weights that training started from; null for the base model. */
  init_model: hash.nullable(),
  /** `dropped_rows` were longer than max_length. */
  dataset: z.looseObject({ sha256: hash, rows: count, dropped_rows: count }),
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
  /** How it was carried out, which changes its speed and its rounding alone. */
  execution: z.looseObject({
    processes: z.int().min(1),
    bf16: z.boolean(),
    /** transformers' name for it. */
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
});
export type FineTuneManifest = z.infer<typeof fineTuneManifestSchema>;

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
  }),
  /**
   * Memory did not suffice: from here on the device works on `rows` at once, with or without gradient checkpointing. A step has as many rows
   * as before.
   */
  z.object({
    event: z.literal('micro_batch'),
    id: z.string(),
    step: count,
    rows: z.int().min(1),
    gradient_checkpointing: z.boolean(),
  }),
  z.object({ event: z.literal('checkpoint'), id: z.string(), step: count, path: z.string() }),
  z.object({
    event: z.literal('done'),
    id: z.string(),
    output_dir: z.string(),
    manifest: fineTuneManifestSchema,
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

/** Variables of the chat template, beside the messages, under the name that vLLM, llama.cpp and TRL have for them. */
export const chatTemplateKwargsSchema = z.object({ enable_thinking: z.boolean() }).readonly();
const template = { chat_template_kwargs: chatTemplateKwargsSchema.optional() };
export type TemplateVariables = {
  readonly chat_template_kwargs?: z.infer<typeof chatTemplateKwargsSchema> | undefined;
};

/** The variables of the chat template that a config sets, as a part of a request or of a training row; nothing when it sets none. */
export function templateVariables({
  enable_thinking,
}: Pick<z.infer<typeof samplingSchema>, 'enable_thinking'>): TemplateVariables {
  return enable_thinking === undefined ? {} : { chat_template_kwargs: { enable_thinking } };
}

const messages = z
  .array(z.object({ role: z.enum(['user', 'assistant']), content: z.string() }).readonly())
  .min(1)
  .readonly();

/** A request for one answer: POST /chat/completions. */
export const chatRequestSchema = z
  .object({
    model: z.string(),
    messages,
    seed: z
      .int()
      .min(0)
      .lt(2 ** 31),
    ...samplingSchema.omit({ enable_thinking: true }).shape,
    ...template,
  })
  .readonly();
export type ChatRequest = z.infer<typeof chatRequestSchema>;

/** A request to the same path for the log-probabilities of the prompt's own tokens (vLLM's `prompt_logprobs`). */
export const scoreRequestSchema = z
  .object({
    model: z.string(),
    messages,
    max_tokens: z.literal(1),
    temperature: z.literal(0),
    seed: z.literal(0),
    /** How many of the most probable tokens the server adds at each place to the prompt's own token. */
    prompt_logprobs: z.literal([0, 1]),
    add_generation_prompt: z.boolean().optional(),
    /** The last message is the beginning of the answer. Needs `add_generation_prompt: false`. */
    continue_final_message: z.boolean().optional(),
    ...template,
  })
  .readonly();

/**
 * A request to the same path for a short greedy answer with the log-probabilities of its own tokens and of the likeliest others: the same
 * model answers it in the same way, and another model in another.
 */
export const canaryRequestSchema = z
  .object({
    model: z.string(),
    messages,
    max_tokens: z.literal(16),
    temperature: z.literal(0),
    seed: z.literal(0),
    logprobs: z.literal(true),
    top_logprobs: z.literal(5),
  })
  .readonly();
export type CanaryRequest = z.infer<typeof canaryRequestSchema>;

const choice = z.object({
  message: z.object({ content: z.string().nullish() }),
  finish_reason: z.string().nullish(),
});
/** The answer to a ChatRequest: the part of OpenAI's format that our client reads, from this server or another. */
export const chatAnswerSchema = z.object({
  model: z.string().nullish(),
  choices: z.tuple([choice], choice),
  usage: z
    .object({
      prompt_tokens: count,
      completion_tokens: count.default(0),
      /** Of services that do not count hidden reasoning as completion, more than the two together. */
      total_tokens: count.nullish(),
    })
    .nullish(),
});

const tokenLogprob = z.object({ token: z.string(), logprob: z.number() });
const answerLogprobs = z.object({
  content: z.array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) })).nullish(),
});
const canaryChoice = choice.extend({ logprobs: answerLogprobs.nullish() });
/** The answer to it. `logprobs` is missing when a server does not support them. */
export const canaryAnswerSchema = z.object({ choices: z.tuple([canaryChoice], canaryChoice) });

/** Log-probabilities by place in the prompt, then by token id; null at the first place. Rounded numbers may lie just above 0. */
export const promptLogprobsSchema = z
  .array(z.record(z.string(), z.object({ logprob: z.number().refine(isLogprob) })).nullable())
  .refine((places) => places.slice(1).every((place) => place !== null && Object.keys(place).length > 0), {
    message: 'a place without a token',
  });

function isLogprob(value: number): boolean {
  return value >= -1e9 && value <= 0.01;
}

/** The answer to a request for scores. `prompt_logprobs` is missing when a server does not support them. */
export const scoreAnswerSchema = z.object({ prompt_logprobs: promptLogprobsSchema.nullish() });

/**
 * The answer to GET /models. `root` is where the server loaded the model from; `max_model_len` how many tokens a prompt and its answer
 * may have together.
 */
export const modelListSchema = z.object({
  data: z.array(
    z.object({ id: z.string(), root: z.string().nullish(), max_model_len: z.number().nullish() }),
  ),
});

/** vLLM's requests to load and to unload a LoRA adapter; `lora_path` is a path on the server's machine. */
export const loadAdapterSchema = z.object({ lora_name: name, lora_path: name });
export const unloadAdapterSchema = z.object({ lora_name: name });

const row = {
  /** What the row is, for messages. */
  kind: z.string(),
  prompt: messages,
  completion: messages,
  ...template,
};
/**
 * A request to POST /check_training: can rows like these made-up ones and these target modules be trained, and can the server load what
 * comes of it? Only engine/serve.py has it.
 */
export const checkTrainingSchema = z
  .object({
    examples: z.array(z.object(row).readonly()).readonly(),
    /** Null when all weights are trained. */
    lora_target_modules: fineTuneConfigSchema.shape.lora_target_modules.unwrap().nullable(),
    /** `method: qlora` */
    load_in_4bit: z.boolean().optional(),
    /** An adapter of these settings is written into the folder. Only engine/train.py does so. */
    made_up_adapter: fineTuneConfigSchema
      .pick({ lora_r: true, lora_alpha: true })
      .extend({ folder: name })
      .optional(),
  })
  .readonly();
export type TrainingCheck = z.infer<typeof checkTrainingSchema>;

/** The answer to it: how many modules would be adapted. */
export const trainingCheckedSchema = z.object({ modules: count });

/** The body of an answer with a status of 400 or above. */
export const errorAnswerSchema = z.object({
  error: z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }),
});

/** The line that the server writes to stdout when it is ready for requests. */
export const serverReadySchema = z.object({
  event: z.literal('ready'),
  port: z.int().min(1).max(65_535),
  memory: z
    .int()
    .min(1)
    .nullish()
    .describe('Bytes that one more process with this model takes; null where one uses all of the machine.'),
});

/** The line that it writes instead when it cannot serve its model. It then ends, and another start would end in the same way. */
export const serverRefusesSchema = z.object({ event: z.literal('refuses'), message: z.string() });
