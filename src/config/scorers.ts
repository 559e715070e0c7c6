/**
 * Where does a worker find the scorers? A task may name a scorer, and this file of the worker defines it. A command is never part of an
 * experiment: otherwise anyone who may start a workflow could run any program on every worker.
 */
import { z } from 'zod';
import { loadWorkerFile, type WorkerFile } from './load.ts';

const scorerConfigSchema = z.strictObject({
  /** The program and its arguments; no shell reads them. */
  command: z.array(z.string().min(1)).min(1),
  /** How long it may take for one answer. */
  timeout_seconds: z.number().positive().max(3600).default(60),
});
export type ScorerConfig = z.infer<typeof scorerConfigSchema>;

const scorersSchema = z.record(z.string(), scorerConfigSchema);

/** No value is shown, because an argument may be a secret. */
const scorersFile: WorkerFile = { variable: 'COLLOQUY_SCORERS', file: 'scorers.yaml', showValues: false };

/**
 * The scorers by name: those of the file that COLLOQUY_SCORERS names (else `configs/scorers.yaml`, which need not be there).
 *
 * @throws InvalidConfig with every fault
 */
export function loadScorers(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, ScorerConfig> {
  return loadWorkerFile(scorersSchema, scorersFile, environment);
}
