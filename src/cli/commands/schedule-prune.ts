import { remove } from '../../store/blobs.ts';
import { type NightEntry, readLedger } from '../../store/series.ts';
import { openStore, type Store } from '../../store/store.ts';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { counted } from '../../text/figures.ts';
import { command, jsonOption, seriesName } from '../command.ts';
import { printJson } from '../terminal.ts';
import { NoNights } from './report.ts';

/** `colloquy schedule prune SERIES` */
export const schedulePrune = command(
  'schedule prune',
  'remove the folders of old nights of a series; the series, its models and its report stay',
  [
    'colloquy schedule prune nightly --dry-run       # what would be removed',
    'colloquy schedule prune nightly --keep 30',
  ],
)
  .argument('<series>', 'the name of the series, which is that of its schedule', seriesName)
  .option('--keep <n>', 'how many of the newest nights to keep', nightCount, 14)
  .option('--dry-run', 'remove nothing, only show what would be removed')
  .addOption(jsonOption)
  .action(async (series, { keep, dryRun = false, json }) => {
    const store = openStore();
    const nights = await readLedger(store, series);
    if (nights.length === 0) throw new NoNights(series, store.series(series).where);
    const removed: string[] = [];
    for (const name of prunable(nights, keep)) {
      if (!(await hasFiles(store, name))) continue;
      if (!dryRun) await remove(store.experiment(name));
      removed.push(name);
    }
    if (json) return printJson({ series, dryRun, removed });
    for (const name of removed) console.log(name);
    const said = dryRun ? 'would be removed' : 'removed';
    console.log(
      `${counted(removed.length, 'night')} ${said}; ${nights.length - removed.length} of ${nights.length} stay.`,
    );
  });

/**
 * The finished nights that nothing needs any more, oldest first: not the newest ones, not the one that the next night begins with, and not the one whose
 * evaluation it takes over.
 *
 * @param keep how many of the newest stay
 */
export function prunable(nights: readonly NightEntry[], keep: number): string[] {
  const start = nights.findLast(({ next }) => next !== null)?.next;
  const needed = new Set([start?.night, start?.evaluated?.experiment]);
  return nights
    .slice(0, Math.max(0, nights.length - keep))
    .map(({ experiment }) => experiment)
    .filter((experiment) => !needed.has(experiment));
}

async function hasFiles(store: Store, experiment: string): Promise<boolean> {
  return (await store.blobs.list(`${store.experiment(experiment).name}/`)).length > 0;
}

function nightCount(given: string): number {
  if (/^\d{1,6}$/.test(given)) return Number(given);
  throw new InvalidArgumentError('Expected a number of nights.');
}
