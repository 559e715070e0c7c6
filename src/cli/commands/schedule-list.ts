import Table from 'cli-table3';
import { wantsColours } from '../colours.ts';
import { command, jsonFlag } from '../command.ts';
import { withTemporal } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { printJson } from '../print-json.ts';
import { skippedText, stateText, timeIn, zoneOf } from '../schedule-text.ts';

/** `colloquy schedule list` */
export const scheduleList = command({
  name: 'schedule list',
  description: 'list the schedules: the next night of each, and how many were skipped',
  examples: ['colloquy schedule list', 'colloquy schedule list --json'],
  args: jsonFlag,
  run: ({ json }) =>
    withTemporal(async ({ client }) => {
      const rows: Record<'name' | 'state' | 'next' | 'started' | 'skipped', string>[] = [];
      for await (const { scheduleId: name, action } of client.schedule.list()) {
        if (action?.workflowType !== 'experiment') continue;
        // The list itself lags behind and does not count what was skipped.
        const description = await client.schedule.getHandle(name).describe();
        const [next] = description.info.nextActionTimes;
        const zone = zoneOf(description);
        rows.push({
          name,
          state: stateText(description),
          next: next === undefined || description.state.paused ? '–' : `${timeIn(zone, next)} ${zone}`,
          started: String(description.info.numActionsTaken),
          skipped: skippedText(description),
        });
      }
      if (json) printJson(rows);
      else if (rows.length === 0)
        console.log(
          'No schedules yet. Make one: colloquy schedule create nightly configs/quickstart.yaml --at 02:00',
        );
      else {
        const head = ['schedule', 'state', 'next night', 'started', 'skipped'];
        const table = new Table({ head, style: { head: [], border: wantsColours() ? ['gray'] : [] } });
        for (const row of rows) table.push(Object.values(row));
        console.log(table.toString());
      }
      return exitCodes.ok;
    }),
});
