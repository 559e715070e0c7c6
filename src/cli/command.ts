/** How a command is declared, and what its words mean: names, iterations, and the experiment or study of a config file with its overrides. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { closest } from 'fastest-levenshtein';
import type { ExperimentConfig } from '../config/experiment.ts';
import { InvalidConfig } from '../config/faults.ts';
import { loadConfigFile, parseOverride, readYaml } from '../config/load.ts';
import { experimentNameSchema, seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { otherNamesIn } from '../config/other-names.ts';
import { presets, requireOwnModel, resolveConfig } from '../config/resolve.ts';
import { resolveStudy, type Study, studyPresets } from '../config/study.ts';
import { type ExitCode, exitCodes, UsageError } from '../errors.ts';
import { shellWord } from '../text/safe-text.ts';
import { colours, wantsColours } from './terminal.ts';

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

/** A command line that can be copied into a shell. */
export function commandLine(program: string, words: readonly string[]): string {
  return [program, ...words.map(shellWord)].join(' ');
}

/**
 * A command whose help begins with examples. Wrong usage throws a CommanderError after its message was printed.
 *
 * @param path the words of the command, e.g. `schedule create`; empty for the program itself
 * @param examples whole command lines, with a comment where one helps
 */
export function command(path: string, description: string, examples: readonly string[]) {
  const words = `colloquy ${path}`.trim();
  const name = words.slice(words.lastIndexOf(' ') + 1);
  return new Command(name)
    .description(description)
    .configureHelp({
      commandDescription: () => '',
      subcommandTerm: (each) => each.name(),
      styleTitle: heading,
    })
    .configureOutput({
      writeOut: (text) => console.log(text.replace(/\n$/, '')),
      writeErr: (text) => console.error(text.replace(/\n$/, '')),
      getOutHasColors: () => wantsColours(process.stdout),
      getErrHasColors: () => wantsColours(process.stderr),
      // Programs and files get whole lines.
      getOutHelpWidth: () => process.stdout.columns ?? Infinity,
      getErrHelpWidth: () => process.stderr.columns ?? Infinity,
    })
    .addHelpText('before', () =>
      [`${colours().bold(words)}: ${description}`, '', heading('Examples:'), ...indented(examples), ''].join(
        '\n',
      ),
    )
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`See: ${words} --help`)
    .exitOverride();
}

/** The heading of a part of the help. */
export function heading(title: string): string {
  const { bold, underline } = colours();
  return underline(bold(title));
}

export function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** Every command that prints a result has this option. */
export const jsonOption = new Option('--json', 'print JSON on stdout, for programs');

/** How what is started shares the workers with others. Without these options nothing is asked of the server. */
export const priorityOption = new Option(
  '--priority <1-5>',
  'take its steps before those of a higher number, from 1 to 5 (default: 3, as of all others)',
).argParser((given) => {
  if (/^[1-5]$/.test(given)) return Number(given);
  throw new InvalidArgumentError('A priority is a whole number from 1, the most urgent, to 5.');
});
export const weightOption = new Option(
  '--weight <n>',
  'give it this share of the workers beside others of its priority: 2 is twice as much as 1 (default: 1)',
).argParser((given) => {
  const weight = Number(given);
  if (given.trim() !== '' && weight >= 0.001 && weight <= 1000) return weight;
  throw new InvalidArgumentError('A weight is a number from 0.001 to 1000.');
});

let exitCode: ExitCode = exitCodes.ok;

/** Lets the command that runs end with another exit code than 0 although it throws nothing. */
export function setExitCode(code: ExitCode): void {
  exitCode = code;
}

/** The exit code that the last command set; the next one begins with 0 again. */
export function takeExitCode(): ExitCode {
  const taken = exitCode;
  exitCode = exitCodes.ok;
  return taken;
}
