/** The command line: the table of all commands, and what runs one of them. */
import { CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { colloquyVersion } from '../config/installation.ts';
import { ColloquyError, type ExitCode, exitCodeOf, exitCodes, messageOf } from '../errors.ts';
import { command, heading, indented, takeExitCode } from './command.ts';
import { runbookEntries } from './terminal.ts';

/**
 * The commands under the headings of the help, in the order in which people meet them: the description of each, and its file. A file is loaded only when the
 * command line names its command: all of them together take seconds.
 */
const groups: Readonly<Record<string, Readonly<Record<string, CommandRow>>>> = {
  'Start:': {
    quickstart: [
      'improve a tiny model on this machine: starts server and worker, runs three iterations, writes a report',
      async () => (await import('./commands/run.ts')).quickstart,
    ],
    init: [
      'ask four questions and write a config, with a comment for each setting',
      async () => (await import('./commands/init.ts')).init,
    ],
    run: [
      'start an experiment, or attach to it, and show its progress until it ends',
      async () => (await import('./commands/run.ts')).run,
    ],
    study: [
      'run methods x experiments x seeds and compare them: the tables and figures of the paper',
      async () => (await import('./commands/study.ts')).study,
    ],
    dev: [
      'start everything on one machine: a Temporal dev server with its web UI, and a worker',
      async () => (await import('./commands/worker.ts')).dev,
    ],
    worker: [
      'serve the task queues until Ctrl-C, which saves what is in flight',
      async () => (await import('./commands/worker.ts')).worker,
    ],
  },
  'Check before a run:': {
    validate: [
      'check a config, its questions, its endpoint and its model, and print every setting and what it will take',
      async () => (await import('./commands/validate.ts')).validate,
    ],
    estimate: [
      'estimate what an experiment will take: tokens, requests, time, disk and money; asks no server',
      async () => (await import('./commands/estimate.ts')).estimate,
    ],
    doctor: [
      'show what this machine can do, and what an experiment needs of it that is missing',
      async () => (await import('./commands/doctor.ts')).doctor,
    ],
    presets: [
      'list the configs and studies that come with Colloquy',
      async () => (await import('./commands/validate.ts')).presets,
    ],
    setup: [
      "install what npm does not: the engine's Python packages, and a Temporal CLI for the dev server",
      async () => (await import('./commands/doctor.ts')).setup,
    ],
  },
  'Watch and steer:': {
    status: [
      'list the experiments and studies, or show the state of one',
      async () => (await import('./commands/status.ts')).status,
    ],
    pause: [
      'stop an experiment after saving what is in flight',
      async () => (await import('./commands/steer.ts')).pause,
    ],
    resume: ['go on with a paused experiment', async () => (await import('./commands/steer.ts')).resume],
    retry: [
      'try again what an experiment waits for, after you have removed the cause',
      async () => (await import('./commands/steer.ts')).retry,
    ],
    abort: [
      'end an experiment as failed; what is finished stays, and `run` goes on from there',
      async () => (await import('./commands/steer.ts')).abort,
    ],
    'set-iterations': [
      'change after how many iterations a running experiment ends',
      async () => (await import('./commands/steer.ts')).setIterations,
    ],
    'set-budget': [
      'set limits of an experiment’s budget, or of the total budget of a study; what waits because it was used up goes on',
      async () => (await import('./commands/steer.ts')).setBudget,
    ],
    change: [
      'change settings of a running experiment that no finished work depends on',
      async () => (await import('./commands/steer.ts')).change,
    ],
  },
  'Look at results:': {
    ui: [
      'show the store in a browser: experiments as they run, reports, debates, comparisons, studies and nights',
      async () => (await import('./commands/ui.ts')).ui,
    ],
    show: [
      'print one debate: what each agent said in each round, and the result of the vote',
      async () => (await import('./commands/show.ts')).show,
    ],
    report: [
      'write the report.html of a finished experiment, a series of nights or a study again',
      async () => (await import('./commands/report.ts')).report,
    ],
    compare: [
      'compare two finished experiments on the held-out questions that both have',
      async () => (await import('./commands/compare.ts')).compare,
    ],
    track: [
      'send the metrics of an experiment, finished or not, to experiment trackers; what they have already is not sent twice',
      async () => (await import('./commands/report.ts')).track,
    ],
  },
  'Use the agents:': {
    ask: [
      'ask the trained agents one question, and see their debate',
      async () => (await import('./commands/ask.ts')).ask,
    ],
    serve: [
      'answer as an OpenAI server, where each request is a debate of the trained agents and a vote',
      async () => (await import('./commands/ask.ts')).serve,
    ],
    export: [
      "write an iteration's datasets or models for other programs, with a card",
      async () => (await import('./commands/export.ts')).exportCommand,
    ],
    push: [
      'send models or datasets to the Hugging Face hub, with card and results, as one commit',
      async () => (await import('./commands/push.ts')).pushCommand,
    ],
  },
  'Every night, and upkeep:': {
    schedule: [
      'run an experiment every night: create, list, show, pause, unpause, trigger, delete, prune',
      async () => (await import('./commands/schedule.ts')).schedule,
    ],
    prune: [
      'show what in the store nothing needs any more, and with --remove remove it; beside running workers too',
      async () => (await import('./commands/prune.ts')).prune,
    ],
  },
  'For the shell:': {
    grade: [
      'judge answers: reads JSON lines {gold, answer} or {gold, response} on stdin, and writes each with "equal" added',
      async () => (await import('./commands/grade.ts')).grade,
    ],
    completion: [
      'print a script that completes commands, options, settings and names in a shell',
      async () => (await import('./commands/completion.ts')).completion,
    ],
  },
};
type CommandRow = readonly [description: string, load: () => Promise<CommandUnknownOpts>];

/** The names of all commands. */
const names = Object.values(groups).flatMap((rows) => Object.keys(rows));

/**
 * The program with its commands. Those that are among the words can be run, and have their options; the others have only a name and a description.
 *
 * @param words of a command line; by default the names of all commands
 */
export async function programFor(words: readonly string[] = names): Promise<CommandUnknownOpts> {
  const program = command('', [
    'colloquy quickstart              # improves a tiny model on this machine: a table and a report in minutes',
    'colloquy init my.yaml            # asks four questions and writes a config for an experiment of yours',
    'colloquy validate my.yaml        # checks the config, its questions and its model',
    'colloquy dev                     # starts a Temporal server with its web UI, and a worker',
    'colloquy run my.yaml             # starts the experiment, or attaches to it, and shows its progress',
    'Each command has examples and options of its own: colloquy COMMAND --help',
  ])
    .description('improve language models by debate, as a durable Temporal pipeline')
    .version(colloquyVersion(), '-v, --version', 'print the version')
    // Without this, `colloquy run FILE -v` would print the version and run nothing.
    .enablePositionalOptions()
    .addHelpText('after', aboutAll);
  for (const [under, rows] of Object.entries(groups))
    for (const [name, [description, load]] of Object.entries(rows)) {
      const each = words.includes(name) ? await load() : command(name, []);
      program.addCommand(each.description(description).helpGroup(under));
    }
  return program.commandsGroup('For the shell:').helpCommand('help [command]', 'print the help of a command');
}

/** What the help says about all commands. */
function aboutAll(): string {
  return [
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
  ].join('\n');
}

/**
 * Runs one command line (without the program's own name) and returns the exit code. For an error with a class of its own, prints
 * only its message; any other error is a bug and is printed with its stack.
 */
export async function runCli(argv: readonly string[]): Promise<ExitCode> {
  takeExitCode();
  try {
    const program = await programFor(argv);
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
