import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pauseUpdate, resumeUpdate } from '../../src/workflows/progress.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineFault } from '../support/instant-engine.ts';
import { until } from '../support/until.ts';
import { processFaults } from './process-faults.ts';
import type { World } from './world.ts';

/** The experiment that a seed names: long enough for several faults; two iterations, so that it is continued as new in between. */
export function chaosInput(experiment: string): object {
  const seed = Number(experiment.replace('seed-', ''));
  return { seed, iterations: 2, shard_size: 16, task: { train_size: 160, test_size: 96 } };
}

type Chance = {
  readonly draw: (from: number, to: number) => number;
  /** Finished work that a fault has damaged, by its path in the store: it may be made again. */
  readonly damaged: Set<string>;
};

export type ChaosFault = {
  readonly name: string;
  readonly strike: (world: World, experiment: string, chance: Chance) => Promise<void>;
};

const engineFaults: EngineFault[] = [
  'busy',
  'overloaded',
  'failed',
  'reset',
  'no JSON',
  'another model',
  'no choices',
  'invalid UTF-8',
  'slow',
];
const trainerFaults = ['nan', 'killed', 'exit 0', 'garbage', 'half a checkpoint', 'no model'];

/** What can go wrong with a running experiment at any moment. Each puts right what a person or a supervisor would. */
export const chaosFaults: readonly ChaosFault[] = [
  ...Object.values(processFaults),
  ...Object.values(processFaults).filter(({ name }) => name.includes('kill -9 of the worker')),
  ...engineFaults.map((fault) => ({
    name: `engine: ${fault}`,
    strike: (world: World) => world.engine.tell({ fault, times: 3 }),
  })),
  ...trainerFaults.map((kind) => ({
    name: `trainer: ${kind}`,
    strike: (world: World) => world.spoilTrainer(kind),
  })),
  {
    name: 'updates pause, then resume',
    strike: async (world, experiment, { draw }) => {
      const handle = world.client.workflow.getHandle(experiment);
      const paused = await handle.executeUpdate(pauseUpdate).then(
        () => true,
        () => false,
      );
      await sleep(draw(0, 2_000));
      if (paused) await handle.executeUpdate(resumeUpdate);
    },
  },
  ...(['cancel', 'terminate'] as const).map((how): ChaosFault => ({
    name: `${how}, then start again`,
    strike: async (world, experiment) => {
      const handle = world.client.workflow.getHandle(experiment);
      const ended = async () => (await handle.describe()).status.name !== 'RUNNING';
      await handle[how]().catch(() => undefined);
      await until('the run has ended', ended, 120_000);
      const { status } = await handle.describe();
      if (status.name === 'COMPLETED') return;
      await world.start(experiment, chaosInput(experiment));
    },
  })),
  {
    name: 'SIGSTOP of the worker past the heartbeat timeout, then SIGCONT',
    strike: async (world, experiment) => {
      const { pid } = world.worker();
      const handle = world.client.workflow.getHandle(experiment);
      process.kill(pid, 'SIGSTOP');
      try {
        await until(
          'the server has given up each step that the worker had begun',
          async () => {
            const { status, raw } = await handle.describe();
            const steps = raw.pendingActivities ?? [];
            return status.name !== 'RUNNING' || steps.every(({ state }) => Number(state) !== started);
          },
          120_000,
        );
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    },
  },
  {
    name: 'a flipped bit in a finished shard, and a new worker',
    strike: async (world, experiment, { draw, damaged }) => {
      await world.worker().kill('SIGTERM');
      const shards = await finishedShards(join(world.storeRoot, experiment));
      const path = shards[draw(0, Math.max(0, shards.length - 1))];
      if (path !== undefined) {
        const bytes = await readFile(path);
        const at = draw(0, bytes.length - 1);
        bytes[at] = bytes[at]! ^ 1;
        await writeFile(path, bytes);
        damaged.add(relative(world.storeRoot, path));
      }
      await world.startWorker();
    },
  },
];

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED */
const started = 2;

async function finishedShards(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true }).catch(() => [])).toSorted((a, b) =>
    a.localeCompare(b),
  );
  return files
    .filter((file) => /shard-\d+\.jsonl$/.test(file) && files.includes(`${file}.ref.json`))
    .map((file) => join(folder, file));
}
