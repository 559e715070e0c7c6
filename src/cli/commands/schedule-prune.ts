import { remove } from '../../store/blobs.ts';
import { readDocument } from '../../store/files/documents.ts';
import { type NightEntry, nightPlanSchema, type NightStart, readLedger } from '../../store/series.ts';
import { experimentFiles, namesInStore, openStore, type Store } from '../../store/store.ts';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { z } from 'zod';
import { counted } from '../../text/figures.ts';
import { seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { printJson } from '../terminal.ts';
import { NoNights } from './report.ts';

/** `colloquy schedule prune SERIES` */
export const schedulePrune = command('schedule prune', [
  'colloquy schedule prune nightly --dry-run       # what would be removed',
  'colloquy schedule prune nightly --keep 30',
])
  .description('remove the folders of old nights of a series; the series, its models and its report stay')
  .argument('<series>', 'the name of the series, which is that of its schedule', seriesName)
  .option('--keep <n>', 'keep this many of the newest nights', nightCount, 14)
  .option('--dry-run', 'only show what would be removed')
  .addOption(jsonOption)
  .action(async (series, { keep, dryRun = false, json }) => {
    const store = openStore();
    const nights = await readLedger(store, series);
    if (nights.length === 0) throw new NoNights(series, store.series(series).where);
    const removed: string[] = [];
    for (const name of prunable(nights, keep, await startsNeeded(store, series, nights))) {
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

/** The agents with which a night begins, and the experiments whose fine-tunes made their models. */
export type NeededStart = NightStart & { readonly madeBy: readonly string[] };

/**
 * The finished nights that nothing needs any more, oldest first: not the newest ones, and none of those whose agents, evaluation or models a
 * night begins with.
 *
 * @param keep how many of the newest stay
 * @param starts of the next night, and of those that have begun
 */
export function prunable(
  nights: readonly NightEntry[],
  keep: number,
  starts: readonly NeededStart[],
): string[] {
  const needed = new Set(
    starts.flatMap(({ night, evaluated, madeBy }) => [night, evaluated?.experiment, ...madeBy]),
  );
  return nights
    .slice(0, Math.max(0, nights.length - keep))
    .map(({ experiment }) => experiment)
    .filter((experiment) => !needed.has(experiment));
}

async function startsNeeded(
  store: Store,
  series: string,
  nights: readonly NightEntry[],
): Promise<NeededStart[]> {
  const next = nights.findLast((night) => night.next !== null)?.next;
  const starts = [...(next ? [next] : []), ...(await startsOfUnfinished(store, series, nights))];
  return Promise.all(starts.map(async (start) => ({ ...start, madeBy: await makersOf(store, start) })));
}

/** A night that has begun, or waits for a person, may still have to take over the evaluation of an older night than the next one begins with. */
async function startsOfUnfinished(
  store: Store,
  series: string,
  nights: readonly NightEntry[],
): Promise<NightStart[]> {
  const finished = new Set(nights.map(({ experiment }) => experiment));
  const names = (await namesInStore(store)).filter((name) => !finished.has(name));
  const plans = await Promise.all(
    names.map((name) => readDocument(experimentFiles(store, name).nightPlan, nightPlanSchema)),
  );
  return plans.flatMap((plan) => (plan?.series === series ? [plan.start] : []));
}

/** A model that is damaged is made again from the datasets in the folder of the experiment that made it. */
async function makersOf(store: Store, { agents }: NightStart): Promise<string[]> {
  const keys = new Set(agents.flatMap(({ models }) => Object.values(models)).filter((key) => key !== null));
  const requests = await Promise.all(
    [...keys].map((key) => readDocument(store.modelRequest(key), requestSchema)),
  );
  return requests.flatMap((request) => request?.experiment ?? []);
}

const requestSchema = z.object({ experiment: z.string() });

async function hasFiles(store: Store, experiment: string): Promise<boolean> {
  return (await store.blobs.list(`${store.experiment(experiment).name}/`)).length > 0;
}

function nightCount(given: string): number {
  if (/^\d{1,6}$/.test(given)) return Number(given);
  throw new InvalidArgumentError('Expected a number of nights.');
}
