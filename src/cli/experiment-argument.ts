import { resolve } from 'node:path';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { loadConfigFile } from '../config/load.ts';
import { resolveConfig } from '../config/resolve.ts';
import { shellQuoted } from '../text/terminal-safe.ts';
import type { Experiment } from './start-experiment.ts';
import { UsageError } from './usage-error.ts';

/**
 * An experiment's name as given on the command line.
 *
 * @throws UsageError, before it can become a path
 */
export function experimentName(given: string): string {
  const parsed = experimentNameSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UsageError(`"${given}" cannot name an experiment: ${parsed.error.issues[0]?.message ?? ''}.`);
}

/**
 * A series' or a schedule's name as given on the command line: a schedule's nights are named after it.
 *
 * @throws UsageError, before it can become a path
 */
export function seriesName(given: string): string {
  const parsed = seriesNameSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UsageError(`"${given}" cannot name a series: ${parsed.error.issues[0]?.message ?? ''}.`);
}

/** A study's name as given on the command line. @throws UsageError, before it can become a path */
export function studyName(given: string): string {
  const parsed = studyNameSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UsageError(`"${given}" cannot name a study: ${parsed.error.issues[0]?.message ?? ''}.`);
}

/**
 * The experiment that a config file and its overrides mean.
 *
 * @param words the config file's path, then `key=value ...`
 * @throws InvalidConfig with every fault
 */
export function experimentFromConfig([path = '', ...overrides]: readonly string[]): Experiment {
  const { name, input } = loadConfigFile(resolve(path), overrides);
  return { name, input, config: resolveConfig(input) };
}

/** The command line that runs the same experiment again. */
export function runCommandLine(words: readonly string[]): string {
  return ['npx colloquy run', ...words.map(shellQuoted)].join(' ');
}
