import { type ScheduleOptions, ScheduleOverlapPolicy, type ScheduleSpec } from '@temporalio/client';
import { closest } from 'fastest-levenshtein';
import { type ConfigInput, mergeConfig } from '../../config/load.ts';
import { resolveConfig } from '../../config/resolve.ts';
import { taskQueues } from '../../workflows/server-names.ts';
import { experimentInput } from '../command.ts';
import { UsageError } from '../errors.ts';

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

/** What happens when a night is due while the previous one still runs: Temporal's overlap policies. */
export const overlapPolicies = {
  skip: ScheduleOverlapPolicy.SKIP,
  'buffer-one': ScheduleOverlapPolicy.BUFFER_ONE,
  'buffer-all': ScheduleOverlapPolicy.BUFFER_ALL,
  'cancel-other': ScheduleOverlapPolicy.CANCEL_OTHER,
  'terminate-other': ScheduleOverlapPolicy.TERMINATE_OTHER,
  'allow-all': ScheduleOverlapPolicy.ALLOW_ALL,
} as const;

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
