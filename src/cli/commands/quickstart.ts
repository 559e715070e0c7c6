import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../config/installation.ts';
import { openStore } from '../../store/store.ts';
import { retryUpdate } from '../../workflows/progress.ts';
import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { createDisplay, type Display } from '../display.ts';
import type { Ending } from '../ending.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { experimentFromConfig } from '../experiment-argument.ts';
import { ExperimentNotFound } from '../experiment-not-found.ts';
import { followExperiment } from '../follow-experiment.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { openLocalServer } from '../local-server.ts';
import { describe, readSnapshot } from '../snapshot.ts';
import { type Experiment, finishedResult, startExperiment } from '../start-experiment.ts';
import { sendUpdate } from '../steer-experiment.ts';
import { tellEnding, tellFinishedBefore } from '../tell-ending.ts';
import { uiUrlOf } from '../temporal-address.ts';
import { superviseWorker } from '../worker-process.ts';

/** `colloquy quickstart` */
export const quickstart = command({
  name: 'quickstart',
  description:
    'the whole of it on a tiny model, on this machine: server, worker, three iterations, a table, a report',
  examples: [
    'npm run quickstart                # sets up what is missing first; again: goes on, or shows the result',
    'npm run quickstart -- --fresh     # removes runs/quickstart and begins anew',
    'colloquy quickstart iterations=1 name=small',
  ],
  args: {
    fresh: {
      type: 'boolean',
      description: 'remove what an earlier run left, but for finished fine-tunes',
      default: false,
    },
    ...jsonFlag,
  },
  takesMore: true,
  run: async ({ _: overrides, fresh, json }) => {
    const experiment = experimentFromConfig([join(projectRoot, 'configs', 'quickstart.yaml'), ...overrides]);
    const { name } = experiment;
    const comeBack = ['npm run quickstart', ...(overrides.length > 0 ? ['--', ...overrides] : [])].join(' ');
    const display = createDisplay(json ? process.stderr : process.stdout);
    try {
      const before = fresh ? null : await finishedResult(experiment);
      if (before !== null) {
        tellFinishedBefore(display, name, ['npm run quickstart --', ...overrides, '--fresh'].join(' '));
        display.stop();
        return tellEnding({ kind: 'finished', result: before }, { name, json, comeBack });
      }
      return await runWithServerAndWorker(experiment, { fresh, json, display, comeBack });
    } finally {
      display.stop();
    }
  },
});

type Options = {
  readonly fresh: boolean;
  readonly json: boolean;
  readonly display: Display;
  readonly comeBack: string;
};

/** Everything that is started here is stopped here, in the opposite order, whatever happens. */
async function runWithServerAndWorker(
  experiment: Experiment,
  { fresh, json, display, comeBack }: Options,
): Promise<ExitCode> {
  const { name } = experiment;
  const { signal, dispose } = interruptSignal();
  const server = await openLocalServer(display);
  try {
    const ending = await withTemporal(async (temporal): Promise<Ending> => {
      if (fresh) await forget(temporal, name);
      const worker = await superviseWorker({ display });
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
    if (ending.kind !== 'detached') return tellEnding(ending, { name, json, comeBack });
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

/** Somebody who starts the quickstart again has seen to what it waited for. */
async function retryWhenParked(temporal: Temporal, name: string, display: Display): Promise<void> {
  const { progress } = await readSnapshot(temporal, name);
  if (progress?.state !== 'parked') return;
  display.say(`Trying again what it waited for: ${progress.waiting.map(({ step }) => step).join(', ')}`);
  await sendUpdate(temporal, name, (handle) => handle.executeUpdate(retryUpdate));
}

async function forget(temporal: Temporal, name: string): Promise<void> {
  try {
    const { status } = await describe(temporal, name);
    if (status.name === 'RUNNING') await temporal.client.workflow.getHandle(name).terminate('begun anew');
  } catch (error) {
    if (!(error instanceof ExperimentNotFound)) throw error;
  }
  await rm(openStore().experiment(name), { recursive: true, force: true });
}
