import { abortUpdate, type Progress } from '../../workflows/progress.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { steer } from '../steer-experiment.ts';

/** `colloquy abort NAME` */
export const abort = command({
  name: 'abort',
  description: 'end an experiment as failed; what is finished stays, and `run` goes on from there',
  examples: ['colloquy abort demo', 'colloquy abort demo --reason "wrong model"'],
  args: {
    ...nameArgument,
    reason: { type: 'string', description: 'kept with the failure', valueHint: 'text' },
    ...jsonFlag,
  },
  run: (args) =>
    steer(
      args,
      (handle) => handle.executeUpdate<Progress, [string]>(abortUpdate.name, { args: [args.reason ?? ''] }),
      'aborted. What is finished stays',
    ),
});
