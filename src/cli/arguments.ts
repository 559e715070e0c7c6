/** What do the words of a command line mean: names, numbers, a config with its overrides? And what may its last word become, for the completion of shells? */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { type CommandUnknownOpts, InvalidArgumentError } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import { type ExperimentConfig, experimentConfigSchema } from '../config/experiment.ts';
import { InvalidConfig, type SchemaNode, schemaNode } from '../config/faults.ts';
import { loadConfigFile, parseOverride, readYaml } from '../config/load.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { otherNamesIn } from '../config/other-names.ts';
import { presets, requireOwnModel, resolveConfig } from '../config/resolve.ts';
import { resolveStudy, type Study, studyConfigSchema, studyPresets } from '../config/study.ts';
import { UsageError } from '../errors.ts';
import { changeableSettings } from '../algorithm/steering.ts';
import { budgetSchema } from '../config/limits.ts';
import { foldersBelow } from '../store/blobs.ts';
import { namesInStore, type Store } from '../store/store.ts';

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
function configFilesHere(): string[] {
  return readdirSync('.').filter((name) => /^[\w-][\w.-]*\.(?:ya?ml|json)$/.test(name));
}

/** What a word of a command line may become. */
export type Candidate = { readonly word: string; readonly means?: string };

/** The names that a command line may have. */
export type Names = {
  readonly experiments: readonly string[];
  readonly series: readonly string[];
  readonly studies: readonly string[];
};

/** The names in a store. */
export async function namesIn(store: Store): Promise<Names> {
  const below = async (prefix: string): Promise<string[]> => [
    ...(await foldersBelow(store.blobs, prefix, /^([^/]*)/)).keys(),
  ];
  return {
    experiments: await namesInStore(store),
    series: await below('series/'),
    studies: await below('studies/'),
  };
}

/**
 * What the last word of a command line may become: commands, options, settings, or the names that its command takes.
 *
 * @param words without the program's own name; the last one is being typed and may be empty
 */
export function candidates(
  program: CommandUnknownOpts,
  words: readonly string[],
  names: Names,
): readonly Candidate[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  // bash makes three words of `key=value`. What a value may be, only files can be said of, and those the shell finds itself.
  if (typed === '=' || before.at(-1) === '=') return [];
  let current = program;
  let position = 0;
  let valueOf: string | undefined;
  for (const word of before) {
    const option = current.options.find(({ long, short }) => word === long || word === short);
    const below = current.commands.find((each) => each.name() === word);
    if (valueOf !== undefined) valueOf = undefined;
    else if (option !== undefined) valueOf = option.required ? option.long : undefined;
    else if (below !== undefined) [current, position] = [below, 0];
    else position += 1;
  }
  const all =
    valueOf !== undefined
      ? valuesOf(valueOf, names)
      : typed.startsWith('-')
        ? optionsOf(current)
        : current.commands.length > 0
          ? current.commands.map((each) => ({ word: each.name(), means: each.description() }))
          : argumentsOf(current, position, names);
  return all.filter(({ word }) => word.startsWith(typed)).toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

function optionsOf(current: CommandUnknownOpts): Candidate[] {
  const own = current.options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ word: long, means: description }],
  );
  return [...own, { word: '--help', means: 'print this help' }];
}

function valuesOf(option: string, names: Names): Candidate[] {
  if (option === '--experiment') return asCandidates(names.experiments);
  return option === '--series' ? asCandidates(names.series) : [];
}

/** @param position of the argument that is typed, from 0 */
function argumentsOf(current: CommandUnknownOpts, position: number, names: Names): readonly Candidate[] {
  const { registeredArguments: declared } = current;
  const argument = declared[position] ?? (declared.at(-1)?.variadic ? declared.at(-1) : undefined);
  const ofSchedule = current.parent?.name() === 'schedule';
  const [study, series] = ['--study', '--series'].map((long) => current.options.some((o) => o.long === long));
  switch (argument?.name()) {
    case 'config':
      return [
        ...(current.name() === 'study' ? [] : presets()).map(presetCandidate),
        ...(current.name() === 'study' || study ? studyPresets() : []).map(presetCandidate),
        ...asCandidates(configFilesHere()),
      ];
    case 'name':
      if (current.name() === 'create') return [];
      if (ofSchedule) return asCandidates(names.series);
      return asCandidates([
        ...names.experiments,
        ...(current.name() === 'status' || study ? names.studies : []),
        ...(current.name() === 'report' && series ? names.series : []),
      ]);
    case 'a':
    case 'b':
      return asCandidates(names.experiments);
    case 'series':
      return asCandidates(names.series);
    case 'overrides':
      return settingsBelow(current.name() === 'study' ? studyConfigSchema : experimentConfigSchema);
    case 'limits':
      return settingsBelow(budgetSchema);
    case 'settings':
      return settingsBelow(experimentConfigSchema).filter(({ word }) =>
        Object.keys(changeableSettings).some((each) => word === `${each}=` || word.startsWith(`${each}.`)),
      );
    case 'shell':
      return asCandidates(['bash', 'zsh', 'fish']);
    case undefined:
    default:
      return [];
  }
}

const asCandidates = (words: readonly string[]): Candidate[] => words.map((word) => ({ word }));

const presetCandidate = ({ name, description }: { readonly name: string; readonly description: string }) => ({
  word: name,
  means: description.replace(/\s+/g, ' '),
});

/** `key=` for each setting of a schema, with those below it: `task.train_size=`. */
function settingsBelow(schema: Parameters<typeof schemaNode>[0]): Candidate[] {
  return [...new Set(pathsBelow(schemaNode(schema), ''))].map((path) => ({ word: `${path}=` }));
}

function pathsBelow({ properties, oneOf, anyOf }: SchemaNode, above: string): string[] {
  const own = Object.entries(properties ?? {}).flatMap(([key, node]) => {
    const path = above === '' ? key : `${above}.${key}`;
    const below = pathsBelow(node, path);
    return below.length > 0 ? below : [path];
  });
  return [...own, ...[...(oneOf ?? []), ...(anyOf ?? [])].flatMap((each) => pathsBelow(each, above))];
}
