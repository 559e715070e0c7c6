/** `colloquy schedule`, and those of its commands that change an existing schedule, or remove what its nights have left. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { z } from 'zod';
import { remove } from '../../store/blobs.ts';
import { readDocument } from '../../store/files/documents.ts';
import { type NightEntry, nightPlanSchema, type NightStart, readLedger } from '../../store/series.ts';
import { experimentFiles, namesInStore, openStore, type Store } from '../../store/store.ts';
import { counted } from '../../text/figures.ts';
import { seriesName } from '../arguments.ts';
import { command, commandLine, jsonOption, setExitCode } from '../command.ts';
import { printJson } from '../terminal.ts';
import { NoNights } from './report.ts';
import { colloquy } from '../../config/installation.ts';
import { createDisplay } from '../display.ts';
import { followToEnd } from './run.ts';
import { scheduleCreate } from './schedule-create.ts';
import { scheduleList, scheduleShow } from './schedule-show.ts';
import {
  findSchedule,
  noteOf,
  outcomeOfTrigger,
  runningNights,
  type Schedule,
  seriesOf,
  timeIn,
  zoneOf,
} from '../schedule/description.ts';
import { withTemporal } from '../server/connect.ts';

/** `colloquy schedule pause NAME` */
export const schedulePause = editCommand('pause', 'start no further nights; one that runs goes on', [
  'colloquy schedule pause nightly --note "the disk is nearly full"',
])
  .option('--note <text>', 'give the reason, which is shown with the schedule', 'paused by hand')
  .action((name, { note, json }) =>
    edit(name, json, async ({ handle }) => {
      await handle.pause(note);
      return `paused. To go on: colloquy schedule unpause ${name}`;
    }),
  );

/** `colloquy schedule unpause NAME` */
export const scheduleUnpause = editCommand(
  'unpause',
  'start nights again; nights that were missed meanwhile are not made up for',
  ['colloquy schedule unpause nightly'],
)
  .option('--note <text>', 'show this text with the schedule (default: the note with which it was made)')
  .action((name, { note, json }) =>
    edit(name, json, async ({ handle, description }) => {
      // Without a note the schedule would keep the one that gives the reason for the pause.
      await handle.unpause(note ?? noteOf(description) ?? 'unpaused by hand');
      const [next] = description.info.nextActionTimes;
      const when = next === undefined ? '' : ` The next night: ${timeIn(zoneOf(description), next)}`;
      return `active again.${when}`;
    }),
  );

/** `colloquy schedule trigger NAME` */
export const scheduleTrigger = editCommand('trigger', 'start a night now, as its overlap policy allows', [
  'colloquy schedule trigger nightly',
  'colloquy schedule trigger nightly --watch     # shows the night until it ends, as `colloquy run` does',
])
  .option('--watch', 'show the night until it ends; Ctrl-C leaves it running')
  .action((name, { watch, json = false }) =>
    withTemporal(async (temporal) => {
      const schedule = await findSchedule(temporal, name);
      // Given explicitly, because the client's default starts a second night beside one that runs.
      await schedule.handle.trigger(schedule.description.policies.overlap);
      const { said, started } = await outcomeOfTrigger(schedule);
      if (!watch || started === undefined) return print(name, said, json);
      const display = createDisplay(json ? process.stderr : process.stdout);
      display.say(`Started ${started}`);
      const comeBack = commandLine(`${colloquy} status`, [started, '--watch']);
      setExitCode(await followToEnd(temporal, started, { display, json, comeBack }));
    }),
  );

/** `colloquy schedule delete NAME` */
export const scheduleDelete = editCommand(
  'delete',
  'remove a schedule; a night that runs goes on, and what nights have made stays',
  ['colloquy schedule delete nightly'],
).action((name, { json }) =>
  edit(name, json, async ({ handle, description }) => {
    await handle.delete();
    const running = runningNights(description);
    const still = running.length > 0 ? ` Still running: ${running.join(', ')}.` : '';
    const series = seriesOf(description);
    const kept =
      series === undefined
        ? ''
        : ` A schedule that is made with this name again goes on with the series ${series}.`;
    return `deleted.${still}${kept}`;
  }),
);

function editCommand(name: string, description: string, examples: readonly string[]) {
  return command(`schedule ${name}`, examples)
    .description(description)
    .argument('<name>', "the schedule's name", seriesName)
    .addOption(jsonOption);
}

/** Changes the schedule and prints what was done. @throws ScheduleNotFound */
async function edit(
  name: string,
  json: true | undefined,
  change: (schedule: Schedule) => Promise<string>,
): Promise<void> {
  print(name, await withTemporal(async (temporal) => change(await findSchedule(temporal, name))), json);
}

function print(name: string, said: string, json: boolean | undefined): void {
  if (json) printJson({ name, said });
  else console.log(`${name}: ${said}`);
}

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

/** `colloquy schedule ...` */
export const schedule = command('schedule', [
  'colloquy schedule create nightly quickstart iterations=1 --at 02:00',
  'colloquy schedule show nightly',
  'colloquy schedule create --help',
])
  .addCommand(scheduleCreate)
  .addCommand(scheduleList)
  .addCommand(scheduleShow)
  .addCommand(schedulePause)
  .addCommand(scheduleUnpause)
  .addCommand(scheduleTrigger)
  .addCommand(scheduleDelete)
  .addCommand(schedulePrune);
