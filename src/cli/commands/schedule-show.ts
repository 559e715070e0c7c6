/** The commands that list the schedules and show one. */
import { seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { findSchedule } from '../schedule/client.ts';
import { scheduleFacts } from '../schedule/facts.ts';
import { lastNights } from '../schedule/last-nights.ts';
import { scheduleTable, skippedText, stateText, timeIn, zoneOf } from '../schedule/text.ts';
import { type Temporal, withTemporal } from '../server/connect.ts';
import { colours, printJson, printTable } from '../terminal.ts';

/** `colloquy schedule list` */
export const scheduleList = command(
  'schedule list',
  'list the schedules: the next night of each, and how many were skipped',
  ['colloquy schedule list', 'colloquy schedule list --json'],
)
  .addOption(jsonOption)
  .action(({ json }) =>
    withTemporal(async (temporal) => {
      const schedules = await listSchedules(temporal);
      if (json) return printJson(schedules);
      if (schedules.length === 0)
        return console.log(
          'No schedules yet. Make one: colloquy schedule create nightly configs/quickstart.yaml --at 02:00',
        );
      printTable(
        ['schedule', 'state', 'next night', 'started', 'skipped'],
        schedules.map(({ name, state, next, started, skipped }) => [name, state, next, started, skipped]),
      );
    }),
  );

type ListedSchedule = Readonly<Record<'name' | 'state' | 'next' | 'started' | 'skipped', string>>;

async function listSchedules({ client }: Temporal): Promise<ListedSchedule[]> {
  const schedules: ListedSchedule[] = [];
  for await (const { scheduleId: name, action } of client.schedule.list()) {
    if (action?.workflowType !== 'experiment') continue;
    // The list itself lags behind and does not count skipped nights.
    const description = await client.schedule.getHandle(name).describe();
    const [next] = description.info.nextActionTimes;
    const zone = zoneOf(description);
    schedules.push({
      name,
      state: stateText(description),
      next: next === undefined || description.state.paused ? '–' : `${timeIn(zone, next)} ${zone}`,
      started: String(description.info.numActionsTaken),
      skipped: skippedText(description),
    });
  }
  return schedules;
}

/** `colloquy schedule show NAME` */
export const scheduleShow = command(
  'schedule show',
  'show a schedule: when, what was started, skipped and missed, and how the last nights ended',
  ['colloquy schedule show nightly', 'colloquy schedule show nightly --json'],
)
  .argument('<name>', "the schedule's name", seriesName)
  .addOption(jsonOption)
  .action((name, { json }) =>
    withTemporal(async (temporal) => {
      const { description } = await findSchedule(temporal, name);
      const nights = await lastNights(temporal, description);
      if (json) return printJson({ name, ...scheduleFacts(description), nights });
      const table = scheduleTable(description);
      console.log(colours().bold(name));
      const width = Math.max(...Object.keys(table).map((what) => what.length));
      for (const [what, text] of Object.entries(table)) console.log(`  ${what.padEnd(width)}  ${text}`);
      if (nights.length > 0) console.log('\nLast nights:');
      for (const { experiment, status, said } of nights)
        console.log(`  ${experiment}  ${status}${said === undefined ? '' : `\n    ${said}`}`);
    }),
  );
