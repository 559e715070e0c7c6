import {
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  type ScheduleOverlapPolicy,
  type ScheduleSpec,
} from '@temporalio/client';
import { closest } from 'fastest-levenshtein';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { resolveConfig } from '../../config/resolve.ts';
import { ColloquyError, exitCodes, UsageError } from '../../errors.ts';
import { createTasks, loadHeldOut } from '../../questions/open-task.ts';
import { guardInWords } from '../../report/findings/finding.ts';
import { heldOutOf, readLedger, requireFixedSettings } from '../../store/series.ts';
import { openStore, type Store } from '../../store/store.ts';
import { experimentInput, seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { findSchedule, overlapPolicies, scheduleFacts, scheduleTable } from '../schedule/description.ts';
import { type Temporal, withTemporal } from '../server/connect.ts';
import { printJson } from '../terminal.ts';
import { type ConfigInput, mergeConfig } from '../../config/load.ts';
import { taskQueues } from '../../workflows/temporal.ts';

const machineZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `colloquy schedule create NAME CONFIG [key=value ...] --at 02:00` */
export const scheduleCreate = command('schedule create', [
  'colloquy schedule create nightly quickstart iterations=1 --at 02:00',
  'colloquy schedule create weekdays my.yaml --cron "0 2 * * 1-5" --time-zone Europe/Paris --overlap buffer-one',
  'colloquy schedule create careful my.yaml carry_over.max_drop=0.01 --at 23:30 --note "asked for by Ada"',
])
  .description('run an experiment every night, each going on from the last one’s agents with fresh questions')
  .argument('<name>', 'the name of the schedule and of its series', seriesName)
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--at <HH:MM>', 'start a night every day at this time (this or --cron is needed)')
  .option('--cron <expression>', 'start nights by this cron expression (instead of --at)')
  .option('--time-zone <zone>', 'take these times in this time zone', machineZone)
  .option(
    '--overlap <policy>',
    `do this when the last night still runs: ${Object.keys(overlapPolicies).join(', ')}`,
    'skip',
  )
  .option(
    '--catchup-window <time>',
    'start a night that was missed while the server was down, if it is no later than this',
    '6h',
  )
  .option('--no-pause-on-failure', 'go on after a night that failed, instead of pausing the schedule')
  .option('--no-carry-over', 'begin each night with the base model and the same questions: no series')
  .option('--note <text>', 'show this text with the schedule (default: none)')
  .addOption(jsonOption)
  .action((name, path, overrides, { json, at, cron, note, ...others }) => {
    const options = scheduleOptions({ name, config: [path, ...overrides], at, cron, note, ...others });
    return withTemporal(async (temporal) => {
      const series = await checkSeries(nightsInput(options), openStore());
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
function nightsInput({ action }: ReturnType<typeof scheduleOptions>): unknown {
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
  requireFixedSettings(ledger, config, night.series, 'name');
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

/** The arguments of `colloquy schedule create`. */
export type ScheduleArguments = {
  readonly name: string;
  /** The config file's path, then `key=value ...`. */
  readonly config: readonly string[];
  readonly at: string | undefined;
  readonly cron: string | undefined;
  readonly timeZone: string;
  readonly overlap: string;
  readonly catchupWindow: string;
  readonly pauseOnFailure: boolean;
  readonly carryOver: boolean;
  readonly note: string | undefined;
};

/**
 * A schedule that starts an experiment each time, named after the schedule with the time added. Checks the config now instead of in
 * the first night.
 *
 * @throws UsageError, InvalidConfig
 */
export function scheduleOptions(given: ScheduleArguments): ScheduleOptions {
  const { name, note, pauseOnFailure } = given;
  return {
    scheduleId: name,
    spec: specOf(given),
    action: {
      type: 'startWorkflow',
      workflowType: 'experiment',
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [inputOf(given)],
      staticSummary: `by the schedule ${name}`,
    },
    policies: {
      overlap: overlapOf(given.overlap),
      catchupWindow: milliseconds(given.catchupWindow),
      pauseOnFailure,
    },
    ...(note === undefined ? {} : { state: { note }, memo: { note } }),
  };
}

/** The nights' input, without a name: each night gets its own from Temporal. */
function inputOf({ name, config: [path = '', ...overrides], carryOver }: ScheduleArguments): ConfigInput {
  const { name: _, carry_over, ...rest } = experimentInput(path, overrides).input;
  const given = carry_over === undefined ? {} : { carry_over };
  const input = carryOver ? mergeConfig({ ...rest, carry_over: { series: name } }, given) : rest;
  resolveConfig(input);
  return input;
}

function specOf({ at, cron, timeZone }: ScheduleArguments): ScheduleSpec {
  if (at !== undefined && cron !== undefined)
    throw new UsageError('Say when by --at or by --cron, not by both.', createCommand);
  if (at === undefined && cron === undefined)
    throw new UsageError('Say when: --at "02:00" for every day, or --cron "0 2 * * 1-5".', createCommand);
  try {
    // oxlint-disable-next-line no-new -- the constructor checks the time zone
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new UsageError(
      `There is no time zone "${timeZone}": expected one like Europe/Paris.`,
      createCommand,
    );
  }
  // The server returns the text after # as the comment of the calendar that it makes.
  const commented = (expression: string) =>
    expression.includes('#') ? expression : `${expression} # ${expression}`;
  if (cron !== undefined) return { cronExpressions: [commented(cron)], timezone: timeZone };
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(at ?? '') ?? [];
  if (hour === undefined || minute === undefined)
    throw new UsageError(`--at takes a time of day such as 02:00, not "${at}".`, createCommand);
  const daily = { hour: Number(hour), minute: Number(minute), comment: `every day at ${at}` };
  return { calendars: [daily], timezone: timeZone };
}

function overlapOf(given: string): ScheduleOverlapPolicy {
  const found = Object.entries(overlapPolicies).find(([word]) => word === given)?.[1];
  if (found !== undefined) return found;
  const words = Object.keys(overlapPolicies);
  throw new UsageError(
    `--overlap takes one of ${words.join(', ')}, not "${given}". Did you mean ${closest(given, words)}?`,
    createCommand,
  );
}

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function milliseconds(given: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(given) ?? [];
  const each = Object.entries(units).find(([letter]) => letter === unit)?.[1];
  if (count === undefined || each === undefined || Number(count) * each < 10_000)
    throw new UsageError(
      `--catchup-window takes 10s or more, such as 90m, 6h or 2d, not "${given}".`,
      createCommand,
    );
  return Number(count) * each;
}

const createCommand = 'schedule create';
