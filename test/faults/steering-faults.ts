/** What people do to a running experiment with the `temporal` CLI and the updates. */
import { pauseUpdate, progressQuery, resumeUpdate } from '../../src/workflows/progress.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { until } from '../support/until.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments, release } from './moments.ts';
import type { World } from './world.ts';

async function temporal(world: World, ...args: string[]): Promise<void> {
  await temporalCli(args, world.environment);
}

/** Ends the run in the given way, and starts the experiment again under its name. */
const endAndStart = (how: 'cancel' | 'terminate'): Fault => ({
  name: `temporal workflow ${how}, then start again`,
  strike: async (world, experiment) => {
    const handle = world.client.workflow.getHandle(experiment);
    await temporal(world, 'workflow', how, '--workflow-id', experiment);
    if (how === 'cancel') await release(world);
    await until('the run has ended', async () => (await handle.describe()).status.name !== 'RUNNING');
    await world.start(experiment);
  },
});

const reset = (type: string): Fault => ({
  name: `temporal workflow reset --type ${type}`,
  strike: (world, experiment) =>
    temporal(world, 'workflow', 'reset', '--workflow-id', experiment, '--type', type, '--reason', 'a test'),
});

/** Of whichever activities are pending at the moment. */
const toActivities = (name: string, ...verbs: string[][]): Fault => ({
  name,
  strike: async (world, experiment) => {
    const { raw } = await world.client.workflow.getHandle(experiment).describe();
    const ids = (raw.pendingActivities ?? []).map(({ activityId }) => activityId ?? '');
    for (const verb of verbs)
      for (const id of ids)
        await temporal(world, 'activity', ...verb, '--workflow-id', experiment, '--activity-id', id);
  },
});

/** As batch jobs and the UI do with many workflows at once. */
const signals: Fault = {
  name: 'signals pause, then resume, and one that cannot be followed',
  strike: async (world, experiment) => {
    const handle = world.client.workflow.getHandle(experiment);
    await handle.signal('pause');
    await handle.signal('setIterations', 0);
    await until('it is paused', async () => (await handle.query(progressQuery)).state === 'paused');
    await release(world);
    await handle.signal('resume');
  },
};

const pauseAndResume: Fault = {
  name: 'updates pause, then resume',
  strike: async (world, experiment) => {
    const handle = world.client.workflow.getHandle(experiment);
    await handle.executeUpdate(pauseUpdate);
    await until(
      'no activity is pending',
      async () => ((await handle.describe()).raw.pendingActivities ?? []).length === 0,
    );
    await release(world);
    await handle.executeUpdate(resumeUpdate);
  },
};

const faults = [
  endAndStart('cancel'),
  endAndStart('terminate'),
  reset('FirstWorkflowTask'),
  reset('LastWorkflowTask'),
  reset('LastContinuedAsNew'),
  toActivities('temporal activity pause, then unpause', ['pause'], ['unpause']),
  toActivities('temporal activity reset', ['reset']),
  pauseAndResume,
  signals,
];

export const steeringFaults: OneWorldTable = {
  cells: everyPair(faults, [moments.round1, moments.thirdFineTune]),
  always: [
    [endAndStart('cancel'), moments.thirdFineTune],
    [reset('FirstWorkflowTask'), moments.round1],
    [toActivities('temporal activity reset', ['reset']), moments.round1],
    [pauseAndResume, moments.thirdFineTune],
  ],
};
