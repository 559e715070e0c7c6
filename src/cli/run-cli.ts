import { runCommand } from 'citty';
import { closest } from 'fastest-levenshtein';
import { checkArguments } from './check-arguments.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { commandHelp, mainHelp } from './help.ts';
import { exitCodeOf, messageOf } from './known-errors.ts';
import { colloquyVersion } from '../config/installation.ts';
import { UsageError } from './usage-error.ts';

/**
 * Runs one command line (without the program's own name) and returns the exit code. Errors that have a class of their own are
 * told in their words; any other is a bug and comes with its stack.
 */
export async function runCli(argv: readonly string[]): Promise<ExitCode> {
  try {
    const [first, ...rest] = argv;
    if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
      const about = commandIn(rest)?.command;
      console.log(about === undefined ? mainHelp(commands) : await commandHelp(about));
      return first === undefined ? exitCodes.badUsage : exitCodes.ok;
    }
    if (first === '--version' || first === '-v') {
      console.log(colloquyVersion());
      return exitCodes.ok;
    }
    const found = commandIn(argv);
    if (found === undefined) {
      const group = commands.filter(({ name }) => name.startsWith(`${first} `));
      if (group.length === 0 || !(rest[0] === '--help' || rest[0] === '-h')) throw noSuchCommand(argv);
      console.log(mainHelp(group));
      return exitCodes.ok;
    }
    return await runOne(found.command, found.rest);
  } catch (error) {
    console.error(messageOf(error));
    return exitCodeOf(error);
  }
}

async function runOne(command: Command, rawArgs: string[]): Promise<ExitCode> {
  const beforeDashes = rawArgs.includes('--') ? rawArgs.slice(0, rawArgs.indexOf('--')) : rawArgs;
  if (beforeDashes.includes('--help') || beforeDashes.includes('-h')) {
    console.log(await commandHelp(command));
    return exitCodes.ok;
  }
  checkArguments(command, rawArgs);
  const { result } = await runCommand(command.definition, { rawArgs }).catch((error: unknown) => {
    throw error instanceof Error && error.name === 'CLIError'
      ? new UsageError(`${error.message}.`, command.name)
      : error;
  });
  // Commands are made by command(), whose `run` returns an exit code.
  return result as ExitCode;
}

/** The command that the first words name (some have two words: `schedule create`), and the words after it. */
function commandIn(words: readonly string[]): { command: Command; rest: string[] } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const command = commands.find((each) => each.name === name);
    if (command !== undefined) return { command, rest: words.slice(length) };
  }
  return undefined;
}

function noSuchCommand([first = '', second = '']: readonly string[]): UsageError {
  const names = commands.map(({ name }) => name);
  const ofGroup = names.filter((name) => name.startsWith(`${first} `));
  if (ofGroup.length === 0)
    return new UsageError(`There is no command "${first}". Did you mean "${closest(first, names)}"?`);
  const given = `${first} ${second}`.trim();
  const nearest =
    second.startsWith('-') || second === '' ? '' : ` Did you mean "${closest(given, ofGroup)}"?`;
  return new UsageError(`"${first}" needs one of: ${ofGroup.join(', ')}.${nearest}`);
}
