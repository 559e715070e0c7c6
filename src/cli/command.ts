/** How a command is declared: its examples and its help, the options that many have, and its exit code. It imports little: every command line loads it. */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { type ExitCode, exitCodes } from '../errors.ts';
import { shellWord } from '../text/safe-text.ts';
import { colours, wantsColours } from './terminal.ts';

/** A command line that can be copied into a shell. */
export function commandLine(program: string, words: readonly string[]): string {
  return [program, ...words.map(shellWord)].join(' ');
}

/**
 * A command whose help begins with its description and examples. The description of a command is in the table of src/cli/run-cli.ts; one of a group
 * says it with `.description()`. Wrong usage throws a CommanderError after its message was printed.
 *
 * @param path the words of the command, e.g. `schedule create`; empty for the program itself
 * @param examples whole command lines, with a comment where one helps
 */
export function command(path: string, examples: readonly string[]) {
  const words = `colloquy ${path}`.trim();
  const name = words.slice(words.lastIndexOf(' ') + 1);
  return new Command(name)
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
    .addHelpText('before', ({ command: described }) =>
      [
        `${colours().bold(words)}: ${described.description()}`,
        '',
        heading('Examples:'),
        ...indented(examples),
        '',
      ].join('\n'),
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
