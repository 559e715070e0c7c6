import { colloquy } from '../../config/installation.ts';
import { experimentFromConfig } from '../arguments.ts';
import { command, commandLine, jsonOption, priorityOption, setExitCode, weightOption } from '../command.ts';
import { createDisplay, type Display } from '../display.ts';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { type EndingOptions, printEnding, sayFinishedBefore } from '../experiment/ending.ts';
import { followExperiment, startExperiment } from '../experiment/run.ts';
import { onceReachable, type Temporal, uiUrlOf, withTemporal } from '../server/connect.ts';
import { sharing } from '../server/workflow.ts';
import { interruptSignal } from '../terminal.ts';

/** `colloquy run CONFIG [key=value ...]` */
export const run = command('run', [
  'colloquy run quickstart                            # one of those that `colloquy presets` lists',
  'colloquy run my.yaml name=second seed=1 iterations=5',
  'colloquy run quickstart --detach                   # start it and leave',
  'Ctrl-C leaves the experiment running; the same command comes back to it.',
])
  .argument('<config>', 'a YAML or JSON file, or the name of one in configs')
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--detach', 'leave at once instead of showing the progress until the end')
  .addOption(priorityOption)
  .addOption(weightOption)
  .addOption(jsonOption)
  .action(async (path, overrides, { detach, json = false, ...share }) => {
    const experiment = experimentFromConfig(path, overrides);
    const { name } = experiment;
    const comeBack = commandLine(`${colloquy} run`, [path, ...overrides]);
    const code = await withTemporal(async (temporal): Promise<ExitCode> => {
      const start = await onceReachable(temporal, () =>
        startExperiment(temporal, experiment, sharing(name, share)),
      );
      const display = createDisplay(json ? process.stderr : process.stdout);
      if (start.kind === 'finished') {
        sayFinishedBefore(display, name, `${comeBack} name=${name}-2`);
        display.stop();
        return printEnding(start, { name, json, comeBack });
      }
      const ui = uiUrlOf(temporal.address, name);
      display.say(`${startWords[start.kind]} ${name}${ui === undefined ? '' : `, also at ${ui}`}`);
      if (detach) {
        display.stop();
        return exitCodes.ok;
      }
      return followToEnd(temporal, name, { display, json, comeBack });
    });
    setExitCode(code);
  });

const startWords = { started: 'Started', continued: 'Going on with', attached: 'Attached to' } as const;

/** Shows an experiment until it ends, parks, or is left with Ctrl-C, and prints what that came to. */
export async function followToEnd(
  temporal: Temporal,
  name: string,
  { display, json, comeBack }: Omit<EndingOptions, 'name'> & { readonly display: Display },
): Promise<ExitCode> {
  const { signal, dispose } = interruptSignal();
  try {
    const ending = await followExperiment(temporal, name, { display, signal, hintWorker: true });
    display.stop();
    return await printEnding(ending, { name, json, comeBack });
  } finally {
    display.stop();
    dispose();
  }
}
