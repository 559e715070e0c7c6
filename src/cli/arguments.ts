/** What the words of a command line mean: names, iterations, ports, and the experiment or study of a config file with its overrides. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import type { ExperimentConfig } from '../config/experiment.ts';
import { InvalidConfig } from '../config/faults.ts';
import { loadConfigFile, parseOverride, readYaml } from '../config/load.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { otherNamesIn } from '../config/other-names.ts';
import { presets, requireOwnModel, resolveConfig } from '../config/resolve.ts';
import { resolveStudy, type Study, studyPresets } from '../config/study.ts';
import { UsageError } from '../errors.ts';

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

/** The parser of ports. @throws InvalidArgumentError */
export function portNumber(given: string): number {
  const port = Number(given);
  if (/^\d+$/.test(given) && port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535; 0 means any free one.');
}

/** An experiment as a config describes it. */
export type Experiment = {
  readonly name: string;
  /** The workflow's input: not resolved, so that it means the same as in `temporal workflow start --input`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly config: ExperimentConfig;
};

/**
 * The experiment that a config and its overrides describe.
 *
 * @param config a file, or the name of one in configs
 * @param overrides `key=value ...`
 * @throws InvalidConfig with every fault
 */
export function experimentFromConfig(config: string, overrides: readonly string[]): Experiment {
  const { name, input } = experimentInput(config, overrides);
  const resolved = resolveConfig(input);
  requireOwnModel(resolved);
  return { name, input, config: resolved };
}

/** The name and the input of the experiment that a config and its overrides describe; the input is not checked. @throws InvalidConfig, UsageError */
export function experimentInput(
  config: string,
  overrides: readonly string[],
): ReturnType<typeof loadConfigFile> {
  const path = configPath(config, 'experiment');
  const loaded = loadConfigFile(path, overrides);
  for (const each of [readYaml(path), ...overrides.map(parseOverride)].flatMap(otherNamesIn))
    console.error(`${each.given} is taken as ${each.means}, its name here.`);
  return loaded;
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
  const { name, input } = loadConfigFile(configPath(config, 'study'), overrides, 'study');
  return { name, input, study: resolveStudy(name, input) };
}

/** The configs that come with Colloquy, and the command that takes them. */
const kinds = {
  experiment: { presets, command: 'run' },
  study: { presets: studyPresets, command: 'study' },
} as const;

/**
 * The path of a config: of the file that was named, or of the one with that name that comes with Colloquy.
 *
 * @throws UsageError when a setting stands in its place; InvalidConfig when there is none, naming the nearest
 */
function configPath(given: string, kind: keyof typeof kinds): string {
  if (isFile(given)) return resolve(given);
  const found = kinds[kind].presets().find(({ name }) => name === given);
  if (found !== undefined) return found.path;
  const other = kind === 'study' ? 'experiment' : 'study';
  if (kinds[other].presets().some(({ name }) => name === given)) {
    const article = other === 'study' ? 'a' : 'an';
    throw new UsageError(
      `"${given}" is ${article} ${other}: colloquy ${kinds[other].command} ${given}${kind === 'experiment' ? ', or --study where a command has it' : ''}.`,
    );
  }
  if (/^[\w.]+=/.test(given))
    throw new UsageError(
      `"${given}" is a setting, and the config has to come first: a file, or one of ${namesOf(kind).join(', ')}.`,
    );
  if (extname(given) !== '' || existsSync(given)) return resolve(given);
  const nearest = closest(given, namesOf(kind));
  const message = `there is no such file, and no ${kind} of that name comes with Colloquy: ${namesOf(kind).join(', ')}; the nearest is ${nearest}`;
  throw new InvalidConfig([{ path: '', message }], given);
}

function namesOf(kind: keyof typeof kinds): string[] {
  return kinds[kind].presets().map(({ name }) => name);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** The names of the current folder's config files. Names that a shell would have to quote are left out. */
export function configFilesHere(): string[] {
  return readdirSync('.').filter((name) => /^[\w-][\w.-]*\.(?:ya?ml|json)$/.test(name));
}
