/** Faults of whole processes: each strikes, and puts back what an operator or a supervisor would start again. */
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { until } from '../support/until.ts';
import { finishedWork } from './artifacts.ts';
import type { Fault } from './fault.ts';
import { release } from './moments.ts';
import { processesOf } from './processes.ts';
import { waitsForAPerson } from './what-people-see.ts';
import type { World } from './world.ts';

export const processFaults = {
  killWorker: { name: 'kill -9 of the worker', strike: (world) => endWorker(world, 'SIGKILL') },
  terminateWorker: { name: 'SIGTERM of the worker', strike: (world) => endWorker(world, 'SIGTERM') },
  interruptWorker: { name: 'SIGINT of the worker', strike: (world) => endWorker(world, 'SIGINT') },
  killEngine: {
    name: 'kill -9 of the engine',
    strike: async (world) => {
      await world.engine.kill();
      await world.engine.start();
      await release(world);
    },
  },
  killTrainer: {
    name: 'kill -9 of the trainer',
    strike: async (world) => {
      for (const { pid } of await trainersOf(world)) process.kill(pid, 'SIGKILL');
      await release(world);
    },
  },
  killServer: {
    name: 'kill -9 of the Temporal server',
    endsServer: true,
    strike: async (world) => {
      await world.server.kill();
      await release(world);
      await world.server.start();
    },
  },
  powerCut: {
    name: 'kill -9 of all at once',
    endsServer: true,
    strike: async (world) => {
      const trainers = await trainersOf(world);
      const worker = world.worker().kill('SIGKILL');
      for (const { pid } of trainers) process.kill(pid, 'SIGKILL');
      await Promise.all([worker, world.engine.kill(), world.server.kill()]);
      await world.untilNothingIsLeft();
      await world.releaseTrainer();
      await world.server.start();
      await world.engine.start();
      await world.startWorker();
    },
  },
} satisfies Record<string, Fault>;

/** Waits for a person, who starts the worker that knows the endpoint. */
export const lackingWorker: Fault = {
  name: 'a worker that does not know the endpoint takes the place of the worker',
  strike: async (world, experiment) => {
    await world.worker().kill('SIGTERM');
    await world.untilNothingIsLeft();
    await release(world);
    const other = await world.startWorker({ endpoint: 'another' });
    const reason = new RegExp(`EndpointUnknown: The worker ${other.pid}@\\S+: no endpoint`);
    // It is offered ten times before.
    await waitsForAPerson(world, experiment, reason, 120_000);
    const handle = world.client.workflow.getHandle(experiment);
    await until('all its steps wait', async () => (await handle.query(progressQuery)).inFlight === 0, 60_000);
    await other.kill('SIGTERM');
    await world.startWorker();
    await handle.executeUpdate(retryUpdate);
  },
};

/** It goes on beside the worker that took its work over. */
export const stalledWorker: Fault = {
  name: 'SIGSTOP of the worker past the heartbeat timeout, another takes over, SIGCONT',
  strike: async (world, experiment) => {
    const first = world.worker();
    process.kill(first.pid, 'SIGSTOP');
    try {
      const second = await world.startWorker();
      const handle = world.client.workflow.getHandle(experiment);
      await until(
        'the second worker has the work',
        async () =>
          ((await handle.describe()).raw.pendingActivities ?? []).some(({ lastWorkerIdentity }) =>
            lastWorkerIdentity?.startsWith(`${second.pid}@`),
          ),
        60_000,
      );
      const finished = (await finishedWork(world.storeRoot)).size;
      await release(world);
      await until(
        'the second worker has finished something',
        async () => (await finishedWork(world.storeRoot)).size > finished,
        60_000,
      );
    } finally {
      process.kill(first.pid, 'SIGCONT');
    }
    await first.kill('SIGTERM');
  },
  // Once when it stalls, and once when it is ended by SIGTERM: the shards that were not taken over by then went on when it woke up.
  catches: 2,
};

async function endWorker(world: World, signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void> {
  await world.worker().kill(signal);
  await world.untilNothingIsLeft();
  await release(world);
  await world.startWorker();
}

async function trainersOf(world: World) {
  const all = await processesOf(world.environment['COLLOQUY_TEST_WORLD']!);
  return all.filter(({ command }) => command.includes('instant-trainer'));
}
