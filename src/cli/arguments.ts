/** What the words of a command line mean: names, iterations, and the experiment or study of a config file with its overrides. */
import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import type { ExperimentConfig } from '../config/experiment.ts';
import { InvalidConfig } from '../config/faults.ts';
import { loadConfigFile } from '../config/load.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { requireOwnModel, resolveConfig } from '../config/resolve.ts';
import { resolveStudy, type Study, studyPresetPath, studyPresets } from '../config/study.ts';
import { shellWord } from '../text/terminal-safe.ts';
import { UsageError } from './errors.ts';

const nameSchemas = { experiment: experimentNameSchema, series: seriesNameSchema, study: studyNameSchema };

/**
 * Checks a name from the command line before it can become a path. A schedule has the name of its series.
 *
 * @throws UsageError when it cannot name such a thing
 */
export function checkName(kind: keyof typeof nameSchemas, given: string): string {
  const parsed = nameSchemas[kind].safeParse(given);
  if (parsed.success) return parsed.data;
  const article = kind === 'experiment' ? 'an' : 'a';
  throw new UsageError(
    `"${given}" cannot name ${article} ${kind}: ${parsed.error.issues[0]?.message ?? ''}.`,
  );
}

/** The parser of an experiment's name. @throws UsageError */
export function experimentName(given: string): string {
  return checkName('experiment', given);
}

/** The parser of a series' or a schedule's name. @throws UsageError */
export function seriesName(given: string): string {
  return checkName('series', given);
}

/** The parser of `--iteration`. @throws InvalidArgumentError when it is not a number */
export function iterationNumber(given: string): number {
  if (/^\d{1,6}$/.test(given)) return Number(given);
  throw new InvalidArgumentError('Expected a number.');
}

/** An experiment as a config describes it. */
export type Experiment = {
  readonly name: string;
  /** The workflow's input: not resolved, so that it means the same as in `temporal workflow start --input`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly config: ExperimentConfig;
};

/**
 * The experiment that a config file and its overrides describe.
 *
 * @param overrides `key=value ...`
 * @throws InvalidConfig with every fault
 */
export function experimentFromConfig(path: string, overrides: readonly string[]): Experiment {
  const { name, input } = loadConfigFile(resolve(path), overrides);
  const config = resolveConfig(input);
  requireOwnModel(config);
  return { name, input, config };
}

/**
 * The study that a config and its overrides describe, and the input of its workflow.
 *
 * @param config a file, or the name of one in configs/studies
 * @param overrides `key=value ...`
 * @throws InvalidConfig with every fault
 */
export function studyFromConfig(
  config: string,
  overrides: readonly string[],
): { readonly name: string; readonly input: object; readonly study: Study } {
  const { name, input } = loadConfigFile(studyPath(config), overrides, 'study');
  return { name, input, study: resolveStudy(name, input) };
}

function studyPath(given: string): string {
  if (existsSync(given) || extname(given) !== '') return resolve(given);
  const preset = studyPresetPath(given);
  if (preset !== undefined) return preset;
  const names = studyPresets().map(({ name }) => name);
  const message = `there is no such file, and no study of that name comes with Colloquy: ${names.join(', ')}; the nearest is ${closest(given, names)}`;
  throw new InvalidConfig([{ path: '', message }], given);
}

/** A command line that can be copied into a shell. */
export function commandLine(program: string, words: readonly string[]): string {
  return [program, ...words.map(shellWord)].join(' ');
}
