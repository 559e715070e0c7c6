import { retryUpdate } from '../../workflows/progress.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { steer } from '../steer-experiment.ts';

/** `colloquy retry NAME` */
export const retry = command({
  name: 'retry',
  description: 'try again what an experiment waits for, after its cause was put right',
  examples: ['colloquy status demo      # says what it waits for', 'colloquy retry demo'],
  args: { ...nameArgument, ...jsonFlag },
  run: (args) => steer(args, (handle) => handle.executeUpdate(retryUpdate), 'tries again what it waited for'),
});
