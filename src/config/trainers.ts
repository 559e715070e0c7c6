/**
 * Where does a worker find the trainers? An experiment may name a trainer, and this file of the worker defines it; it is never part of an
 * experiment. A model does not depend on its trainer, so neither does its content address.
 */
import { z } from 'zod';
import { loadWorkerFile, type WorkerFile } from './load.ts';

const trainerConfigSchema = z.discriminatedUnion('kind', [
  // engine/train.py, as a process of the worker.
  z.strictObject({
    kind: z.literal('process'),
    processes: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe(
        'How many processes train a model together, each on a graphics card of its own (torchrun’s nproc_per_node). Default: 1.',
      ),
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
  }),
]);
/** The settings by which a trainer of kind `process` uses its devices. */
export type TrainerDevice = Omit<z.infer<typeof trainerConfigSchema>, 'kind'>;
export type TrainerConfig = z.infer<typeof trainerConfigSchema>;

const trainersSchema = z.record(z.string(), trainerConfigSchema);

const trainersFile: WorkerFile = { variable: 'COLLOQUY_TRAINERS', file: 'trainers.yaml', showValues: true };

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
