/** `colloquy run`, for which workers are there already, and `colloquy quickstart`, which starts a server and a worker itself. */
import { join } from 'node:path';
import { colloquy, isClone, projectRoot } from '../../config/installation.ts';
import { type Experiment, experimentFromConfig } from '../arguments.ts';
import { command, commandLine, jsonOption, priorityOption, setExitCode, weightOption } from '../command.ts';
import { createDisplay, type Display } from '../display.ts';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { type EndingOptions, printEnding, sayFinishedBefore } from '../experiment/ending.ts';
import { type Ending, finishedResult, followExperiment, startExperiment } from '../experiment/run.ts';
import { configuredAddress, onceReachable, type Temporal, uiUrlOf, withTemporal } from '../server/connect.ts';
import { findWorkflow, sendUpdate, sharing } from '../server/workflow.ts';
import { interruptSignal } from '../terminal.ts';
import { remove } from '../../store/blobs.ts';
import { openStore } from '../../store/store.ts';
import { retryUpdate, waitingSteps } from '../../workflows/progress.ts';
import { readProgress } from '../experiment/snapshot.ts';
import { openLocalServer, requireTools, superviseWorker } from '../server/local-server.ts';

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

/** `colloquy quickstart` */
export const quickstart = command('quickstart', [
  'colloquy quickstart                  # sets up what is missing first; a second time: goes on, or shows the result',
  'colloquy quickstart --fresh          # removes runs/quickstart and begins again',
  'colloquy quickstart iterations=1 name=small',
  ...(isClone ? ['npm run quickstart -- --fresh        # the same; installs the npm packages too'] : []),
])
  .argument('[overrides...]', 'settings to change, as key=value')
  .option('--fresh', 'begin again: remove what an earlier run left, except finished fine-tunes')
  .addOption(jsonOption)
  .action(async (overrides, { fresh = false, json = false }) => {
    const experiment = experimentFromConfig(join(projectRoot, 'configs', 'quickstart.yaml'), overrides);
    const { name } = experiment;
    const comeBack = quickstartLine(overrides);
    const display = createDisplay(json ? process.stderr : process.stdout);
    try {
      const before = fresh ? null : await finishedResult(experiment);
      if (before === null) {
        setExitCode(await runWithServerAndWorker(experiment, { fresh, json, display, comeBack }));
        return;
      }
      sayFinishedBefore(display, name, quickstartLine([...overrides, '--fresh']));
      display.stop();
      setExitCode(await printEnding({ kind: 'finished', result: before }, { name, json, comeBack }));
    } finally {
      display.stop();
    }
  });

/** The command line that a person types for it. */
function quickstartLine(words: readonly string[]): string {
  if (!isClone) return commandLine(`${colloquy} quickstart`, words);
  return commandLine('npm run quickstart', words.length > 0 ? ['--', ...words] : []);
}

type Options = {
  readonly fresh: boolean;
  readonly json: boolean;
  readonly display: Display;
  readonly comeBack: string;
};

/** Everything that is started here is also stopped here, in the opposite order, after an error too. */
async function runWithServerAndWorker(
  experiment: Experiment,
  { fresh, json, display, comeBack }: Options,
): Promise<ExitCode> {
  const { name } = experiment;
  // Both at once, as each takes a minute or more.
  await requireTools('python', ...(configuredAddress() === undefined ? (['temporal'] as const) : []));
  const { signal, dispose } = interruptSignal();
  const server = await openLocalServer(display.say);
  try {
    const ending = await withTemporal(async (temporal): Promise<Ending> => {
      if (fresh) await forget(temporal, name);
      const worker = await superviseWorker(display.say);
      try {
        return await runAndFollow(temporal, experiment, {
          display,
          signal: AbortSignal.any([signal, worker.gaveUp]),
        });
      } finally {
        if (signal.aborted) display.say('Stopping: what is in flight is being saved ...');
        await worker.stop();
      }
    });
    display.stop();
    if (ending.kind !== 'detached') return await printEnding(ending, { name, json, comeBack });
    console.error(
      signal.aborted
        ? `Stopped. To go on:  ${comeBack}`
        : `The worker cannot be kept running. To go on:  ${comeBack}`,
    );
    return signal.aborted ? exitCodes.interrupted : exitCodes.failed;
  } finally {
    await server.stop();
    dispose();
  }
}

async function runAndFollow(
  temporal: Temporal,
  experiment: Experiment,
  { display, signal }: { readonly display: Display; readonly signal: AbortSignal },
): Promise<Ending> {
  const { name } = experiment;
  const start = await startExperiment(temporal, experiment);
  if (start.kind === 'finished') return start;
  const ui = uiUrlOf(temporal.address, name);
  if (ui !== undefined) display.say(`Web UI, while this runs: ${ui}`);
  display.say(start.kind === 'started' ? `Started ${name}` : `Going on with ${name}`);
  if (start.kind === 'attached') await retryWhenParked(temporal, name, display);
  return followExperiment(temporal, name, { display, signal, hintWorker: false });
}

/** A person who starts the quickstart again has removed the cause that it waited for. */
async function retryWhenParked(temporal: Temporal, name: string, display: Display): Promise<void> {
  const progress = await readProgress(temporal.client, name);
  // A budget that is used up is raised, and not tried again: following it shows how.
  const steps = waitingSteps(progress?.waiting ?? []);
  if (progress?.state !== 'parked' || steps.length === 0) return;
  display.say(`Trying again what it waited for: ${steps.map(({ step }) => step).join(', ')}`);
  await sendUpdate(temporal, name, (handle) => handle.executeUpdate(retryUpdate));
}

async function forget(temporal: Temporal, name: string): Promise<void> {
  const found = await findWorkflow(temporal, name, 'experiment');
  if (found?.status.name === 'RUNNING')
    await temporal.client.workflow.getHandle(name).terminate('begun again with --fresh');
  await remove(openStore().experiment(name));
}
