import { setIterationsUpdate } from '../../workflows/progress.ts';
import { command, jsonFlag, nameArgument } from '../command.ts';
import { steer } from '../steer-experiment.ts';
import { UsageError } from '../usage-error.ts';

/** `colloquy set-iterations NAME N` */
export const setIterations = command({
  name: 'set-iterations',
  description: 'let a running experiment end after another number of iterations',
  examples: ['colloquy set-iterations demo 5'],
  args: {
    ...nameArgument,
    iterations: {
      type: 'positional',
      description: 'iterations in all, from the one under way up',
      required: true,
    },
    ...jsonFlag,
  },
  run: (args) => {
    if (!/^\d+$/.test(args.iterations)) {
      throw new UsageError(`"${args.iterations}" is not a number of iterations.`, 'set-iterations');
    }
    const iterations = Number(args.iterations);
    return steer(
      args,
      (handle) => handle.executeUpdate(setIterationsUpdate, { args: [iterations] }),
      `${iterations} ${iterations === 1 ? 'iteration' : 'iterations'} in all`,
    );
  },
});
