import { ScheduleAlreadyRunning } from '@temporalio/client';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { configDifference, fixedSettings, resolveConfig } from '../../config/resolve.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { createTasks, loadHeldOut } from '../../questions/open-task.ts';
import { guardInWords } from '../../report/findings/warnings.ts';
import { heldOutOf, readLedger } from '../../store/series.ts';
import { openStore, type Store } from '../../store/store.ts';
import { command, jsonOption, seriesName } from '../command.ts';
import { UsageError } from '../errors.ts';
import { findSchedule, scheduleFacts, scheduleTable } from '../schedule/description.ts';
import { overlapPolicies, scheduleOptions } from '../schedule/options.ts';
import { type Temporal, withTemporal } from '../server/connect.ts';
import { printJson } from '../terminal.ts';

const machineZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `colloquy schedule create NAME CONFIG [key=value ...] --at 02:00` */
export const scheduleCreate = command(
  'schedule create',
  'run an experiment every night, each going on from the last one’s agents with fresh questions',
  [
    'colloquy schedule create nightly configs/quickstart.yaml iterations=1 --at 02:00',
    'colloquy schedule create weekdays my.yaml --cron "0 2 * * 1-5" --time-zone Europe/Paris --overlap buffer-one',
    'colloquy schedule create careful my.yaml carry_over.max_drop=0.01 --at 23:30 --note "asked for by Ada"',
  ],
)
  .argument('<name>', 'the name of the schedule and of its series', seriesName)
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--at <HH:MM>', 'every day at this time')
  .option('--cron <expression>', 'a cron expression instead of --at')
  .option('--time-zone <zone>', 'of these times', machineZone)
  .option(
    '--overlap <policy>',
    `when the last night still runs: ${Object.keys(overlapPolicies).join(', ')}`,
    'skip',
  )
  .option(
    '--catchup-window <time>',
    'start a night that was missed while the server was down, if it is no later than this',
    '6h',
  )
  .option('--no-pause-on-failure', 'go on after a night that failed, instead of pausing the schedule')
  .option('--no-carry-over', 'begin each night with the base model and the same questions: no series')
  .option('--note <text>', 'shown with the schedule')
  .addOption(jsonOption)
  .action((name, path, overrides, { json, at, cron, note, ...others }) => {
    const options = scheduleOptions({ name, config: [path, ...overrides], at, cron, note, ...others });
    return withTemporal(async (temporal) => {
      const series = await checkSeries(inputOf(options), openStore());
      await create(temporal, options);
      const { description } = await findSchedule(temporal, name);
      if (json) return printJson({ name, ...scheduleFacts(description) });
      const table = scheduleTable(description);
      console.log(`Made the schedule ${name}: ${table['when'] ?? ''}. Next: ${table['next'] ?? ''}`);
      for (const sentence of series) console.log(sentence);
      console.log(
        `Its state: colloquy schedule show ${name}. A night now: colloquy schedule trigger ${name}`,
      );
    });
  });

/** The input of the schedule's nights. */
function inputOf({ action }: ReturnType<typeof scheduleOptions>): unknown {
  return 'args' in action ? action.args?.[0] : undefined;
}

async function create({ client }: Temporal, options: ReturnType<typeof scheduleOptions>): Promise<void> {
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) throw new ScheduleExists(options.scheduleId);
    // The server's own words about a wrong cron expression.
    if (error instanceof TypeError) throw new UsageError(`${error.message}.`, 'schedule create');
    throw error;
  }
}

/** A schedule of that name exists. */
export class ScheduleExists extends ColloquyError {
  override name = 'ScheduleExists' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(schedule: string) {
    super(
      `There is a schedule "${schedule}" already (colloquy schedule show ${schedule}). To change it, delete it and make it ` +
        'again: its series goes on where it was.',
    );
  }
}

/**
 * Compares the config of a schedule's nights with the series that it goes on with, if this machine's store has that.
 *
 * @returns sentences for the person who makes the schedule
 * @throws InvalidConfig for settings that no night of the series may change; SeriesDamaged
 */
async function checkSeries(input: unknown, store: Store): Promise<string[]> {
  const config = resolveConfig(input);
  const night = config.carry_over;
  if (night === undefined) return [];
  const ledger = await readLedger(store, night.series);
  const [first] = ledger;
  const differences = first === undefined ? [] : configDifference(first.fixed, fixedSettings(config));
  if (differences.length > 0)
    throw new InvalidConfig(
      differences.map(({ path, before, after }) => ({
        path,
        message: `the series ${night.series} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}, and no night may change that; take another name`,
      })),
    );
  const heldOut = first === undefined ? await heldOutQuestions(config) : await heldOutOf(store, night.series);
  return [
    ...(ledger.length === 0
      ? []
      : [`It goes on with the series ${night.series}, which has ${ledger.length} nights.`]),
    ...(heldOut === null ? [] : [guardInWords(heldOut.length, night.max_drop)]),
  ];
}

/** Null where this machine cannot load them: the worker may be on another one. */
async function heldOutQuestions({ task, seed }: ExperimentConfig): Promise<readonly unknown[] | null> {
  const tasks = createTasks();
  try {
    return await loadHeldOut(tasks.open(task), seed);
  } catch {
    return null;
  } finally {
    await tasks.close();
  }
}
