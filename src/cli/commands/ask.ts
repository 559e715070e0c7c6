/** The trained agents answer: one question in the terminal, or as a server. */
import type { Server } from 'node:http';
import type { Command } from '@commander-js/extra-typings';
import { asksEmbedded } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { lastAcceptedNight } from '../../export/finished-iteration.ts';
import type { Debaters } from '../../serve/debaters.ts';
import { newestFinished } from '../../store/records/result.ts';
import { openStore } from '../../store/store.ts';
import { experimentName, iterationNumber, portNumber, seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { ColloquyError, exitCodes, UsageError } from '../../errors.ts';
import { interruptSignal, printJson } from '../terminal.ts';
import { debateText } from './show.ts';

/** `colloquy ask "QUESTION"` */
export const ask = debatersOption(
  command('ask', [
    'colloquy ask "3+4*5-6" --experiment quickstart',
    'colloquy ask "3+4*5-6" --experiment quickstart --iteration 0    # the base model',
    'colloquy ask "3+4*5-6" --series nightly                         # the agents of the last accepted night',
    'colloquy ask "3+4*5-6" --experiment one-model --distilled       # the one model that they were distilled into',
    'colloquy ask "3+4*5-6" --json',
  ]),
)
  .argument('<question>', 'in the words of the task')
  .option('--seed <n>', 'draw other answers with this seed (default: that of the experiment)', seedNumber)
  .addOption(jsonOption)
  .action(async (question, { json, seed, ...which }) => {
    if (question.trim() === '') throw new UsageError('The question is empty.', 'ask');
    const debaters = await openAskedDebaters(which);
    const { signal, dispose } = interruptSignal();
    try {
      if (!arithmeticOnly(debaters.config, question))
        console.error('Warning: the embedded model only knows arithmetic in digits, such as 3+4*5-6.');
      const whom = which.distilled ? 'the distilled model' : 'the agents';
      console.error(
        `Asking ${whom} of ${debaters.experiment} ...${debaters.answersBy === 'first vote' ? ` ${withoutDebate}` : ''}`,
      );
      const debate = await debaters.debate(question, { seed, signal });
      if (json)
        printJson({
          experiment: debaters.experiment,
          iteration: debaters.iteration,
          ...(debaters.answersBy === 'first vote' ? { answersBy: debaters.answersBy } : {}),
          ...debate,
        });
      else console.log(debateText(debate, debaters.iteration));
    } finally {
      await debaters.close();
      dispose();
    }
  });

/** Of an experiment with `answer: auto`. */
export const withoutDebate =
  'They vote over their first answers, without debate: that was better on the validation questions (answer: auto).';

/** False for a question that the embedded model cannot understand. */
function arithmeticOnly(config: ExperimentConfig, question: string): boolean {
  return !asksEmbedded(config) || /^[-+*\d\s]+$/.test(question);
}

function seedNumber(given: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new UsageError('--seed takes a number from 0 to 999999999.', 'ask');
}

/** Whose agents `ask` and `serve` use. */
type Which = {
  readonly experiment?: string | undefined;
  readonly series?: string | undefined;
  readonly iteration?: number | undefined;
  readonly distilled?: true | undefined;
};

/** Adds the options that name the agents. */
function debatersOption<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
) {
  return command
    .option(
      '--experiment <name>',
      'use the agents of this experiment (default: the one of this store that finished last)',
      experimentName,
    )
    .option(
      '--series <name>',
      'use the agents of the last accepted night of this series (default: no series)',
      seriesName,
    )
    .option(
      '--iteration <i>',
      'use the agents after this iteration; 0 is the base model (default: the last, or the best by its guard)',
      iterationNumber,
    )
    .option('--distilled', 'use the one model that the group was distilled into, which answers alone');
}

/**
 * The agents that the options name.
 *
 * @throws UsageError when both a series and an experiment are named, or none has finished; NoNightAccepted; as `openDebaters` does
 */
async function openAskedDebaters({ experiment, series, iteration, distilled }: Which): Promise<Debaters> {
  if (experiment !== undefined && series !== undefined)
    throw new UsageError('Name an experiment or a series, not both.');
  const store = openStore();
  const name =
    experiment ??
    (series === undefined ? await newestFinished(store) : await lastAcceptedNight(store, series));
  if (name === null)
    throw new UsageError(`No experiment has finished in ${store.root}: name one with --experiment.`);
  // Imported only here: it loads what talks to models.
  const { openDebaters } = await import('../../serve/debaters.ts');
  return openDebaters(store, { experiment: name, iteration, distilled });
}

/** `colloquy serve` */
export const serve = debatersOption(
  command('serve', [
    'colloquy serve --experiment quickstart',
    `curl localhost:8080/v1/chat/completions -H 'content-type: application/json' \\`,
    `  -d '{"model": "quickstart", "messages": [{"role": "user", "content": "3+4*5-6"}]}'`,
    'COLLOQUY_SERVE_API_KEY=secret colloquy serve --series nightly --host 0.0.0.0   # the last accepted night',
  ]),
)
  .option('--port <port>', 'listen on this port', portNumber, 8080)
  .option(
    '--host <address>',
    'listen on this address; with the default, other machines cannot reach it',
    '127.0.0.1',
  )
  .action(async ({ port, host, ...which }) => {
    const apiKey = process.env['COLLOQUY_SERVE_API_KEY'] || undefined;
    const loopback = ['127.0.0.1', 'localhost', '::1'].includes(host);
    if (!loopback && apiKey === undefined)
      throw new UsageError(
        `Other machines can reach ${host}: set COLLOQUY_SERVE_API_KEY to a key that they have to send.`,
        'serve',
      );
    const { createFront } = await import('../../serve/server.ts');
    const debaters = await openAskedDebaters(which);
    const { signal, dispose } = interruptSignal();
    const front = createFront({
      debaters,
      apiKey,
      loopback,
      onError: (error) => console.error(error instanceof Error ? error.message : String(error)),
    });
    try {
      console.error(`Loading the models of ${debaters.experiment} ...`);
      await debaters.load(signal);
      const at = await listening(front, host, port);
      console.error(
        `Answering at http://${host.includes(':') ? `[${host}]` : host}:${at}/v1 as the model "${debaters.experiment}". Ctrl-C stops.`,
      );
      if (debaters.answersBy === 'first vote') console.error(withoutDebate);
      await untilAborted(signal);
    } finally {
      front.closeAllConnections();
      front.close();
      await debaters.close();
      dispose();
    }
  });

/** Waits for Ctrl-C: a server serves until then. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Begins to listen; returns the port. @throws CannotListen */
export async function listening(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ message }) => reject(new CannotListen(host, port, message)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** The port or the address cannot be had. */
export class CannotListen extends ColloquyError {
  override name = 'CannotListen' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(host: string, port: number, why: string) {
    super(
      `Nothing can listen at ${host}:${port} (${why}). Name another port with --port; 0 means any free one.`,
    );
  }
}
