import { changeSchedule } from '../change-schedule.ts';
import { command, jsonFlag } from '../command.ts';
import { timeIn, zoneOf } from '../schedule-text.ts';
import { noteArgument, scheduleArgument } from '../schedule-argument.ts';

/** `colloquy schedule unpause NAME` */
export const scheduleUnpause = command({
  name: 'schedule unpause',
  description: 'start nights again; those missed while it was paused are not made up for',
  examples: ['colloquy schedule unpause nightly'],
  args: { ...scheduleArgument, ...noteArgument, ...jsonFlag },
  run: (args) =>
    changeSchedule(args, async ({ handle, description }) => {
      // Without a note the old one would stay, which says why it was paused.
      await handle.unpause(args.note ?? 'unpaused by hand');
      const [next] = description.info.nextActionTimes;
      const when = next === undefined ? '' : ` The next night: ${timeIn(zoneOf(description), next)}`;
      return `active again.${when}`;
    }),
});
