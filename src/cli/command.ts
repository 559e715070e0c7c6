import { Command, Option } from '@commander-js/extra-typings';
import { type ExitCode, exitCodes } from '../errors.ts';
import { colours, wantsColours } from './terminal.ts';

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
