/** Whose agents `ask` and `serve` use. */
import type { Command } from '@commander-js/extra-typings';
import { lastAcceptedNight } from '../export/last-night.ts';
import type { Debaters } from '../serve/debaters.ts';
import { newestFinished } from '../store/newest.ts';
import { openStore } from '../store/store.ts';
import { experimentName, iterationNumber, seriesName } from './arguments.ts';
import { UsageError } from './errors.ts';

type Which = {
  readonly experiment?: string | undefined;
  readonly series?: string | undefined;
  readonly iteration?: number | undefined;
};

/** Adds the options that name the agents. */
export function debatersOption<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
) {
  return command
    .option(
      '--experiment <name>',
      'the experiment whose agents answer (default: the one of this store that finished last)',
      experimentName,
    )
    .option('--series <name>', 'the agents of the last accepted night of this series', seriesName)
    .option(
      '--iteration <i>',
      'use the agents after this iteration (0: the base model; default: the last)',
      iterationNumber,
    );
}

/**
 * The agents that the options name.
 *
 * @throws UsageError when both a series and an experiment are named, or none has finished; NoNightAccepted; as `openDebaters` does
 */
export async function openAskedDebaters({ experiment, series, iteration }: Which): Promise<Debaters> {
  if (experiment !== undefined && series !== undefined)
    throw new UsageError('Name an experiment or a series, not both.');
  const store = openStore();
  const name =
    experiment ??
    (series === undefined ? await newestFinished(store) : await lastAcceptedNight(store, series));
  if (name === null)
    throw new UsageError(`No experiment has finished in ${store.root}: name one with --experiment.`);
  // Imported only here: it loads what talks to models.
  const { openDebaters } = await import('../serve/debaters.ts');
  return openDebaters(store, { experiment: name, iteration });
}
