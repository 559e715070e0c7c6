/**
 * Where does a worker find the trainers? An experiment may name a trainer, and this file of the worker defines it; it is never part of an
 * experiment. A model does not depend on its trainer, so neither does its content address.
 */
import { z } from 'zod';
import { apiKeyEnv, oneUrl } from './endpoints.ts';
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

const trainerConfigSchema = z.discriminatedUnion('kind', [processSchema, raySchema]);
export type TrainerConfig = z.infer<typeof trainerConfigSchema>;
export type RayConfig = z.infer<typeof raySchema>;
/** The settings by which a trainer of kind `process` uses its devices. */
export type TrainerDevice = Omit<z.infer<typeof processSchema>, 'kind'>;

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
