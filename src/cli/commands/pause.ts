import { pauseUpdate } from '../../workflows/progress.ts';
import { progressTable } from '../../workflows/progress-table.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { steer } from '../steer-experiment.ts';

/** `colloquy pause NAME` */
export const pause = command({
  name: 'pause',
  description: 'stop an experiment after what is in flight has been saved',
  examples: ['colloquy pause demo', 'colloquy resume demo      # goes on from there'],
  args: { ...nameArgument, ...jsonFlag },
  run: (args) =>
    steer(
      args,
      (handle) => handle.executeUpdate(pauseUpdate),
      (progress) => `${progressTable(progress).state}. To go on: colloquy resume ${args.name}`,
    ),
});
