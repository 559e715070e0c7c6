import { CommanderError } from '@commander-js/extra-typings';
import { colloquyVersion } from '../config/installation.ts';
import { command, heading, indented, takeExitCode } from './command.ts';
import { ask } from './commands/ask.ts';
import { abort, change, pause, resume, retry, setBudget, setIterations } from './commands/steer.ts';
import { compare } from './commands/compare.ts';
import { completion } from './commands/completion.ts';
import { dev, worker } from './commands/worker.ts';
import { doctor } from './commands/doctor.ts';
import { estimate } from './commands/estimate.ts';
import { exportCommand } from './commands/export.ts';
import { grade } from './commands/grade.ts';
import { init } from './commands/init.ts';
import { presets, validate } from './commands/validate.ts';
import { prune } from './commands/prune.ts';
import { pushCommand } from './commands/push.ts';
import { quickstart } from './commands/quickstart.ts';
import { report, track } from './commands/report.ts';
import { run } from './commands/run.ts';
import { serve } from './commands/serve.ts';
import { setup } from './commands/setup.ts';
import { schedule } from './commands/schedule.ts';
import { show } from './commands/show.ts';
import { status } from './commands/status.ts';
import { study } from './commands/study.ts';
import { ui } from './commands/ui.ts';
import { ColloquyError, type ExitCode, exitCodeOf, exitCodes, messageOf } from '../errors.ts';
import { runbookEntries } from './terminal.ts';

/** The commands under the headings of the help, in the order in which people meet them. */
const groups = {
  'Start:': [quickstart, init, run, study, dev, worker],
  'Check before a run:': [validate, estimate, doctor, presets, setup],
  'Watch and steer:': [status, pause, resume, retry, abort, setIterations, setBudget, change],
  'Look at results:': [ui, show, report, compare, track],
  'Use the agents:': [ask, serve, exportCommand, pushCommand],
  'Every night, and upkeep:': [schedule, prune],
  'For the shell:': [grade, completion],
} as const;

/** The program with all of its commands. */
export const program = command('', 'improve language models by debate, as a durable Temporal pipeline', [
  'colloquy quickstart              # improves a tiny model on this machine: a table and a report in minutes',
  'colloquy init my.yaml            # asks four questions and writes a config for an experiment of yours',
  'colloquy validate my.yaml        # checks the config, its questions and its model',
  'colloquy dev                     # starts a Temporal server with its web UI, and a worker',
  'colloquy run my.yaml             # starts the experiment, or attaches to it, and shows its progress',
  'Each command has examples and options of its own: colloquy COMMAND --help',
])
  .version(colloquyVersion(), '-v, --version', 'print the version')
  // Without this, `colloquy run FILE -v` would print the version and run nothing.
  .enablePositionalOptions();
for (const [heading, commands] of Object.entries(groups))
  for (const each of commands) program.addCommand(each.helpGroup(heading));
program.commandsGroup('For the shell:').helpCommand('help [command]', 'print the help of a command');
program.addHelpText('after', () =>
  [
    '',
    heading('Exit codes:'),
    ...indented([
      '0  done                                  3  the experiment waits for a person (retry or abort)',
      '1  failed                                4  Temporal is not reachable',
      '2  the command line or the config is wrong  130  left with Ctrl-C',
    ]),
    '',
    heading('Environment:'),
    ...indented([
      'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_PROFILE, ...  as for the temporal CLI',
      'COLLOQUY_STORE      where experiments are kept: a folder (default: runs/ in the project; of an installed package, in the current folder), or s3://BUCKET/PREFIX',
      'COLLOQUY_LOCAL      with S3: the folder for the files of this host (default: in runs/.s3)',
      'COLLOQUY_CACHE_GB   with S3: the most that copies on this host take (default: 100)',
      'COLLOQUY_ENDPOINTS  a file of the endpoints that answer (default: configs/endpoints.yaml)',
      'COLLOQUY_TRAINERS   a file of the trainers that fine-tune (default: configs/trainers.yaml)',
      'COLLOQUY_SCORERS    a file of programs that judge answers (default: configs/scorers.yaml)',
      'NO_COLOR            no colours',
    ]),
  ].join('\n'),
);

/**
 * Runs one command line (without the program's own name) and returns the exit code. For an error with a class of its own, prints
 * only its message; any other error is a bug and is printed with its stack.
 */
export async function runCli(argv: readonly string[]): Promise<ExitCode> {
  takeExitCode();
  try {
    await program.parseAsync(helpLast(argv), { from: 'user' });
    return takeExitCode();
  } catch (error) {
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badUsage;
    console.error(messageOf(error));
    const code = exitCodeOf(error);
    // A wrong command line or config is explained by its message alone.
    if (error instanceof ColloquyError && code !== exitCodes.badUsage)
      for (const line of runbookEntries([error.name])) console.error(line);
    return code;
  }
}

/** `help schedule create` as `schedule create --help`: commander's own `help` knows one command. */
function helpLast(argv: readonly string[]): readonly string[] {
  const [first, ...commands] = argv;
  return first === 'help' && commands.length > 1 ? [...commands, '--help'] : argv;
}
