import { command, jsonFlag } from '../command.ts';
import { withTemporal } from '../connect.ts';
import { createDisplay } from '../display.ts';
import { exitCodes } from '../exit-codes.ts';
import { experimentFromConfig, runCommandLine } from '../experiment-argument.ts';
import { followExperiment } from '../follow-experiment.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { startExperiment } from '../start-experiment.ts';
import { tellEnding, tellFinishedBefore } from '../tell-ending.ts';
import { uiUrlOf } from '../temporal-address.ts';

/** `colloquy run CONFIG [key=value ...]` */
export const run = command({
  name: 'run',
  description: 'start an experiment, or attach to it, and show its progress until it ends',
  examples: [
    'colloquy run configs/quickstart.yaml',
    'colloquy run configs/quickstart.yaml name=second seed=1 iterations=5',
    'colloquy run configs/quickstart.yaml --detach      # start it and leave',
    'Ctrl-C leaves the experiment running; the same command comes back to it.',
  ],
  args: {
    config: { type: 'positional', description: 'a YAML or JSON file, then key=value ...', required: true },
    detach: { type: 'boolean', description: 'do not wait for the end', default: false },
    ...jsonFlag,
  },
  takesMore: true,
  run: async ({ _: words, detach, json }) => {
    const experiment = experimentFromConfig(words);
    const { name } = experiment;
    const comeBack = runCommandLine(words);
    return withTemporal(async (temporal) => {
      const start = await startExperiment(temporal, experiment);
      const display = createDisplay(json ? process.stderr : process.stdout);
      if (start.kind === 'finished') {
        tellFinishedBefore(display, name, `${comeBack} name=${name}-2`);
        display.stop();
        return tellEnding(start, { name, json, comeBack });
      }
      const ui = uiUrlOf(temporal.address, name);
      display.say(`${told[start.kind]} ${name}${ui === undefined ? '' : `, also at ${ui}`}`);
      if (detach) {
        display.stop();
        return exitCodes.ok;
      }
      const { signal, dispose } = interruptSignal();
      try {
        const ending = await followExperiment(temporal, name, { display, signal, hintWorker: true });
        display.stop();
        return tellEnding(ending, { name, json, comeBack });
      } finally {
        display.stop();
        dispose();
      }
    });
  },
});

const told = { started: 'Started', continued: 'Going on with', attached: 'Attached to' } as const;
