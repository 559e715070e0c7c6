import { resumeUpdate } from '../../workflows/progress.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { steer } from '../steer-experiment.ts';

/** `colloquy resume NAME` */
export const resume = command({
  name: 'resume',
  description: 'go on with a paused experiment',
  examples: ['colloquy resume demo'],
  args: { ...nameArgument, ...jsonFlag },
  run: (args) => steer(args, (handle) => handle.executeUpdate(resumeUpdate), 'goes on'),
});
