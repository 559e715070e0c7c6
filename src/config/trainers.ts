/**
 * Where does a worker find the trainers? An experiment may name a trainer, and this file of the worker defines it; it is never part of an
 * experiment. A model does not depend on its trainer, so neither does its content address; only a server that trains (kind `openai`) makes
 * models of its own.
 */
import { z } from 'zod';
import { agentsOf } from './agents.ts';
import { apiKeyEnv, oneUrl, withPath } from './endpoints.ts';
import type { ExperimentConfig } from './experiment.ts';
import type { ConfigFault } from './faults.ts';
import { fineTuneConfigSchema, formOf, type ModelForm } from './fine-tune.ts';
import { loadWorkerFile, type WorkerFile } from './load.ts';

/** How a trainer uses its devices. */
const device = {
  padding_free: z
    .boolean()
    .optional()
    .describe(
      'Whether the rows of a batch follow each other without padding. Default: true where the attention has kernels for it, which is on graphics cards only.',
    ),
  attn_implementation: z
    .enum(['eager', 'sdpa', 'sdpa_varlen', 'flash_attention_2', 'flash_attention_3'])
    .optional()
    .describe(
      'The attention, by its name in transformers; `sdpa_varlen` is PyTorch’s own for rows without padding. Default: the fastest that is there.',
    ),
};

/** engine/train.py, as a process of the worker. */
const processSchema = z.strictObject({
  kind: z.literal('process'),
  processes: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'How many processes train a model together, each on a graphics card of its own (torchrun’s nproc_per_node). Default: 1.',
    ),
  ...device,
});

/** A cluster of Ray, over its Jobs API. */
const raySchema = z.strictObject({
  kind: z.literal('ray'),
  url: oneUrl.describe(
    'The address of the cluster’s dashboard, which is on port 8265 unless it was changed.',
  ),
  api_key_env: apiKeyEnv.describe(
    'The name of the environment variable with the cluster’s token (`ray start` with RAY_AUTH_MODE=token).',
  ),
  processes: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('How many processes train a model together, on as many hosts as they need. Default: 1.'),
  cpus_per_process: z.int().min(1).max(1024).optional().describe('The cores of each process. Default: 1.'),
  gpus_per_process: z
    .int()
    .min(0)
    .max(1)
    .optional()
    .describe('The graphics cards of each process; with 0 it trains on the CPU. Default: 1.'),
  python: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The Python of the cluster’s nodes: the one that Ray runs with. It has the packages of the engine. Default: `python` on their PATH.',
    ),
  store: z
    .string()
    .regex(/^\/[^\n]*[^/\n]$/, 'expected an absolute path without a slash at its end')
    .optional()
    .describe(
      'The path at which the cluster’s nodes mount the worker’s store. Default: the same path as on the worker.',
    ),
  patience_minutes: z
    .int()
    .min(1)
    .max(24 * 60)
    .optional()
    .describe(
      'How long a cluster is waited for that gives no answer in the middle of a fine-tune, or that has too few nodes because it starts them on demand. Default: half a minute.',
    ),
  ...device,
});

/** A server of the OpenAI fine-tuning API. */
const hostedTrainerSchema = z.strictObject({
  kind: z.literal('openai'),
  url: oneUrl.describe(
    'The base address of the server, with its /v1 if it has one. The endpoint of the experiment is of kind `openai` and has the same server.',
  ),
  api_key_env: apiKeyEnv.describe('The name of the environment variable with the key.'),
  learning_rate_multiplier: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe(
      'The factor of the server’s own learning rate. Models that were made with another one are other models. Default: the server chooses.',
    ),
  price_per_million_tokens: z
    .number()
    .min(0)
    .optional()
    .describe(
      'What the server charges for a million tokens of training, in any currency. `colloquy validate` and `colloquy doctor` then show what the fine-tunes will cost.',
    ),
  queue_hours: z
    .number()
    .positive()
    .max(24 * 30)
    .optional()
    .describe(
      'How long a job may wait at the server before it begins. Then it is cancelled, and the step waits for a person. Default: 24.',
    ),
});
export type HostedTrainerConfig = z.infer<typeof hostedTrainerSchema>;

const trainerConfigSchema = z.discriminatedUnion('kind', [processSchema, raySchema, hostedTrainerSchema]);
export type TrainerConfig = z.infer<typeof trainerConfigSchema>;
export type RayConfig = z.infer<typeof raySchema>;
/** The settings by which a trainer of kind `process` uses its devices. */
export type TrainerDevice = Omit<z.infer<typeof processSchema>, 'kind'>;

/** What a trainer makes of an experiment's settings. */
export type TrainerAbilities = {
  /** The form of the models that it makes. */
  readonly form: (settings: ExperimentConfig['fine_tune']) => ModelForm;
  /** The settings that it cannot follow. */
  readonly faults: (config: ExperimentConfig) => readonly ConfigFault[];
  /** What of the trainer a model depends on, beside the settings of the experiment; null when a model depends on them alone. */
  readonly maker: string | null;
  /** What a million tokens of training cost there, in any currency; undefined where no price is stated. */
  readonly pricePerMillionTokens?: number | undefined;
  /** How many jobs a worker gives it at once; without it, as many as the worker's own machine trains at once. */
  readonly jobsAtOnce?: number;
};

/** A cluster decides itself how many of its jobs run at once. Each job takes some 2 GB of memory on the cluster's head, also while it waits for devices. */
const jobsOfCluster = 8;

/** @param name of the trainer, for messages */
export function trainerAbilities(name: string, config: TrainerConfig): TrainerAbilities {
  return config.kind === 'openai'
    ? {
        form: () => 'hosted',
        faults: (experiment) => hostedTrainingFaults(experiment, name),
        maker: hostedMaker(config),
        pricePerMillionTokens: config.price_per_million_tokens,
      }
    : {
        form: formOf,
        faults: () => [],
        maker: null,
        ...(config.kind === 'ray' ? { jobsAtOnce: jobsOfCluster } : {}),
      };
}

const trainersSchema = z.record(z.string(), trainerConfigSchema);

const trainersFile: WorkerFile = { variable: 'COLLOQUY_TRAINERS', file: 'trainers.yaml', showValues: false };

/** The name of the trainer for experiments that do not name one. A worker's configuration may define it as any kind. */
export const defaultTrainer = 'local';

/**
 * The trainers by name: `local`, and those of the file that COLLOQUY_TRAINERS names (else `configs/trainers.yaml`, which need
 * not be there).
 *
 * @throws InvalidConfig with every fault
 */
export function loadTrainers(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, TrainerConfig> {
  return {
    [defaultTrainer]: { kind: 'process' },
    ...loadWorkerFile(trainersSchema, trainersFile, environment),
  };
}

/** How the server trains, as OpenAI's API names it. */
export type HostedSettings = {
  readonly n_epochs: number;
  readonly batch_size: number;
  readonly learning_rate_multiplier?: number;
};

/** What the server is given: the epochs and the rows of an optimiser step of `fine_tune`, and the factor of the trainer. */
export function hostedSettings(
  {
    num_train_epochs,
    per_device_train_batch_size,
    gradient_accumulation_steps,
  }: ExperimentConfig['fine_tune'],
  { learning_rate_multiplier: factor }: HostedTrainerConfig,
): HostedSettings {
  return {
    n_epochs: num_train_epochs,
    batch_size: per_device_train_batch_size * gradient_accumulation_steps,
    ...(factor === undefined ? {} : { learning_rate_multiplier: factor }),
  };
}

const given: ReadonlySet<string> = new Set([
  'num_train_epochs',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
]);

/** The settings of an experiment that such a trainer cannot follow; none when it can follow all of them. */
function hostedTrainingFaults(config: ExperimentConfig, trainer: string): ConfigFault[] {
  if (config.iterations === 0) return [];
  const { fine_tune: settings, critic_mixture: mixture } = config;
  const faults: ConfigFault[] = [];
  if (!Number.isInteger(settings.num_train_epochs))
    faults.push({
      path: 'fine_tune.num_train_epochs',
      message: `${settings.num_train_epochs} was given; the server of the trainer ${trainer} trains whole epochs only`,
    });
  const standard: Readonly<Record<string, unknown>> = fineTuneConfigSchema.parse({});
  for (const [key, value] of Object.entries(settings)) {
    if (given.has(key) || JSON.stringify(value) === JSON.stringify(standard[key])) continue;
    const instead =
      key === 'learning_rate'
        ? `has a learning rate of its own, of which trainers.yaml can set the factor: learning_rate_multiplier`
        : 'cannot be given it';
    faults.push({
      path: `fine_tune.${key}`,
      message: `${JSON.stringify(value)} was given; the server of the trainer ${trainer} ${instead}. Leave this setting out, so that it is ${JSON.stringify(standard[key])} and means nothing`,
    });
  }
  if (mixture === 'weight')
    faults.push({
      path: 'critic_mixture',
      message: `"weight" was given; the server of the trainer ${trainer} cannot weight rows: take sample`,
    });
  if (config.distill !== undefined && config.distill.objective !== 'imitation')
    faults.push({
      path: 'distill.objective',
      message: `${JSON.stringify(config.distill.objective)} was given; the server of the trainer ${trainer} cannot be given it: take imitation`,
    });
  const thinks = agentsOf(config).findIndex(({ sampling }) => sampling.enable_thinking !== undefined);
  if (thinks >= 0)
    faults.push({
      path:
        config.sampling.enable_thinking === undefined
          ? `agents.${thinks}.sampling.enable_thinking`
          : 'sampling.enable_thinking',
      message: `the server of the trainer ${trainer} takes no variables of the chat template: leave it out`,
    });
  return faults;
}

/**
 * A name for all that such a trainer adds to a model. The name of a model means something at its own server only, so another address means
 * other models.
 */
function hostedMaker({ url, learning_rate_multiplier: factor }: HostedTrainerConfig): string {
  return JSON.stringify(['openai', withPath(url).replace(/\/+$/, ''), factor ?? null]);
}

/** The cost of training, in the currency of the price. */
export type TrainingCost = {
  /** The trainer that states the price. */
  readonly trainer: string;
  readonly pricePerMillionTokens: number;
  readonly cost: number;
};

/**
 * What fine-tunes will cost: tokens of the rows, each row once an epoch, times the price.
 *
 * @returns null where no price is stated
 */
export function trainingCost(
  trainer: string,
  price: number | undefined,
  tokens: number,
): TrainingCost | null {
  return price === undefined ? null : { trainer, pricePerMillionTokens: price, cost: (tokens / 1e6) * price };
}
