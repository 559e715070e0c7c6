/** A trainer that fails, dies, lies, or says nothing any more. */
import { expect } from 'vitest';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { until } from '../support/until.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments } from './moments.ts';
import type { World } from './world.ts';

const retried = (kind: string, name: string): Fault => ({
  name: `trainer: ${name}`,
  strike: (world) => world.spoilTrainer(kind),
});

/** What waiting cannot mend waits for a person, and goes on after `retry`. */
const parked = (kind: string, name: string, reason: RegExp): Fault => ({
  name: `trainer: ${name}`,
  strike: async (world, experiment) => {
    await world.spoilTrainer(kind);
    await world.releaseTrainer();
    expect(await reasonForWaiting(world, experiment)).toMatch(reason);
    await world.client.workflow.getHandle(experiment).executeUpdate(retryUpdate);
  },
});

const some = [
  parked('nan', 'NaN loss', /NaN.*learning_rate/s),
  retried('no model', 'says done with no model'),
  retried('half a checkpoint', 'half-written checkpoint'),
];
const others = [
  retried('killed', 'killed for memory (137)'),
  retried('exit 0', 'exits 0 with no model'),
  retried('garbage', 'garbage on stdout'),
  retried('hang', 'hangs: the worker beats, the trainer says nothing'),
];

export const trainerFaults: OneWorldTable = {
  cells: everyPair([...some, ...others], [moments.firstFineTune]),
  always: everyPair(some, [moments.firstFineTune]),
};

async function reasonForWaiting(world: World, experiment: string): Promise<string> {
  const handle = world.client.workflow.getHandle(experiment);
  const { waiting } = await until('the experiment waits for a person', async () => {
    const progress = await handle.query(progressQuery);
    return progress.state === 'parked' && progress;
  });
  return waiting.map(({ reason }) => reason).join('\n');
}
