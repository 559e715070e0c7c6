/** What happens around a worker: its clock jumps, another experiment runs beside. */
import { expect } from 'vitest';
import { artifactsOf } from './artifacts.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments, release } from './moments.ts';

const clockJumps: Fault = {
  name: 'the worker’s clock jumps an hour forward, then two back',
  strike: async (world) => {
    const { pid } = world.worker();
    process.kill(pid, 'SIGUSR2');
    await release(world);
    process.kill(pid, 'SIGUSR2');
  },
};

const neighbour: Fault = {
  name: 'a second experiment on the same worker',
  strike: async (world, experiment) => {
    const beside = `${experiment}-beside`;
    await world.start(beside, { seed: 6 });
    await release(world);
    await world.client.workflow.getHandle(beside).result();
    expect(Object.keys(await artifactsOf(world.storeRoot, beside)).length).toBeGreaterThan(20);
  },
};

export const surroundings: OneWorldTable = {
  always: [[clockJumps, moments.round1]],
  cells: everyPair([clockJumps, neighbour], [moments.round1, moments.thirdFineTune]),
};
