import { command } from '../command.ts';
import { scheduleCreate } from './schedule-create.ts';
import { scheduleDelete, schedulePause, scheduleTrigger, scheduleUnpause } from './schedule-edit.ts';
import { schedulePrune } from './schedule-prune.ts';
import { scheduleList, scheduleShow } from './schedule-show.ts';

/** `colloquy schedule ...` */
export const schedule = command(
  'schedule',
  'run an experiment every night: create, list, show, pause, unpause, trigger, delete, prune',
  [
    'colloquy schedule create nightly configs/quickstart.yaml iterations=1 --at 02:00',
    'colloquy schedule show nightly',
    'colloquy schedule create --help',
  ],
)
  .addCommand(scheduleCreate)
  .addCommand(scheduleList)
  .addCommand(scheduleShow)
  .addCommand(schedulePause)
  .addCommand(scheduleUnpause)
  .addCommand(scheduleTrigger)
  .addCommand(scheduleDelete)
  .addCommand(schedulePrune);
