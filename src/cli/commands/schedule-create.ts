import { ScheduleAlreadyRunning } from '@temporalio/client';
import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { seriesName } from '../experiment-argument.ts';
import { printJson } from '../print-json.ts';
import { overlapPolicies, scheduleOptions } from '../schedule-options.ts';
import { scheduleTable } from '../schedule-text.ts';
import { findSchedule } from '../schedules.ts';
import { UsageError } from '../usage-error.ts';

/** There is a schedule of that name. */
export class ScheduleExists extends Error {
  override name = 'ScheduleExists' as const;

  constructor(schedule: string) {
    super(
      `There is a schedule "${schedule}" already (colloquy schedule show ${schedule}). To change it, delete it and make it ` +
        'again: its series goes on where it was.',
    );
  }
}

const machineZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `colloquy schedule create NAME CONFIG [key=value ...] --at 02:00` */
export const scheduleCreate = command({
  name: 'schedule create',
  description: 'run an experiment every night, each going on from the last one’s agents with fresh questions',
  examples: [
    'colloquy schedule create nightly configs/quickstart.yaml iterations=1 --at 02:00',
    'colloquy schedule create weekdays my.yaml --cron "0 2 * * 1-5" --time-zone Europe/Paris --overlap buffer-one',
    'colloquy schedule create careful my.yaml carry_over.max_drop=0.01 --at 23:30 --note "asked for by Ada"',
  ],
  args: {
    name: { type: 'positional', description: "the schedule's name, and its series'", required: true },
    config: { type: 'positional', description: 'a YAML or JSON file, then key=value ...', required: true },
    at: { type: 'string', description: 'every day at this time', valueHint: 'HH:MM' },
    cron: { type: 'string', description: 'instead of --at: a cron expression', valueHint: 'expression' },
    'time-zone': { type: 'string', description: 'of these times', default: machineZone, valueHint: 'zone' },
    overlap: {
      type: 'string',
      description: `when the last night still runs: ${Object.keys(overlapPolicies).join(', ')}`,
      default: 'skip',
      valueHint: 'policy',
    },
    'catchup-window': {
      type: 'string',
      description: 'start a night that was missed, the server being down, if no later than this',
      default: '6h',
      valueHint: 'time',
    },
    'pause-on-failure': {
      type: 'boolean',
      description: 'pause the schedule when a night fails',
      negativeDescription: 'go on after a night that failed',
      default: true,
    },
    'carry-over': {
      type: 'boolean',
      description: 'make the nights a series',
      negativeDescription: 'begin each night with the base model and the same questions',
      default: true,
    },
    note: { type: 'string', description: 'for whoever looks at the schedule', valueHint: 'text' },
    ...jsonFlag,
  },
  takesMore: true,
  run: (args) => {
    const name = seriesName(args.name);
    const options = scheduleOptions({
      name,
      config: args._.slice(1),
      at: args.at,
      cron: args.cron,
      timeZone: args['time-zone'],
      overlap: args.overlap,
      catchupWindow: args['catchup-window'],
      pauseOnFailure: args['pause-on-failure'],
      carryOver: args['carry-over'],
      note: args.note,
    });
    return withTemporal(async (temporal) => {
      await create(temporal, options);
      const table = scheduleTable((await findSchedule(temporal, name)).description);
      if (args.json) printJson({ name, ...table });
      else {
        console.log(`Made the schedule ${name}: ${table['when'] ?? ''}. Next: ${table['next'] ?? ''}`);
        console.log(
          `How it stands: colloquy schedule show ${name}. A night now: colloquy schedule trigger ${name}`,
        );
      }
      return exitCodes.ok;
    });
  },
});

async function create({ client }: Temporal, options: ReturnType<typeof scheduleOptions>): Promise<void> {
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) throw new ScheduleExists(options.scheduleId);
    // The server's own words about a cron expression that is none.
    if (error instanceof TypeError) throw new UsageError(`${error.message}.`, 'schedule create');
    throw error;
  }
}
