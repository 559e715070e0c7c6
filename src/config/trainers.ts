import { z } from 'zod';
import { loadWorkerFile, type WorkerFile } from './load.ts';

/**
 * What fine-tunes models: the worker's own configuration, never part of an experiment. An experiment may name a trainer; this defines
 * what the name means. Who trains a model does not change it, so a model's content address does not depend on the trainer.
 */
const trainerConfigSchema = z.discriminatedUnion('kind', [
  // engine/train.py, as a process of the worker.
  z.strictObject({ kind: z.literal('process') }),
]);
export type TrainerConfig = z.infer<typeof trainerConfigSchema>;

const trainersSchema = z.record(z.string(), trainerConfigSchema);

const trainersFile: WorkerFile = { variable: 'COLLOQUY_TRAINERS', file: 'trainers.yaml', showValues: true };

/** The trainer of experiments that name none. A worker's configuration may define it as any kind. */
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
