/** Faults of whole processes: each strikes, and puts back what an operator or a supervisor would start again. */
import { retryUpdate } from '../../src/workflows/progress.ts';
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
    strike: async (world) => {
      await world.server.kill();
      await release(world);
      await world.server.start();
    },
  },
  powerCut: {
    name: 'kill -9 of all at once (power cut)',
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
    await other.kill('SIGTERM');
    await world.startWorker();
    await world.client.workflow.getHandle(experiment).executeUpdate(retryUpdate);
  },
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
