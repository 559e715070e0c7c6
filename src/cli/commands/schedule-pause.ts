import { changeSchedule } from '../change-schedule.ts';
import { command, jsonFlag } from '../command.ts';
import { noteArgument, scheduleArgument } from '../schedule-argument.ts';

/** `colloquy schedule pause NAME` */
export const schedulePause = command({
  name: 'schedule pause',
  description: 'start no further nights; one that runs goes on',
  examples: ['colloquy schedule pause nightly --note "the disk is nearly full"'],
  args: { ...scheduleArgument, ...noteArgument, ...jsonFlag },
  run: (args) =>
    changeSchedule(args, async ({ handle }) => {
      await handle.pause(args.note ?? 'paused by hand');
      return `paused. To go on: colloquy schedule unpause ${args.name}`;
    }),
});
