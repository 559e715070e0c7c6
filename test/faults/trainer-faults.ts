/** A trainer that fails, dies, lies, or says nothing any more. */
import { retryUpdate } from '../../src/workflows/progress.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments } from './moments.ts';
import { waitsForAPerson } from './what-people-see.ts';

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
    await waitsForAPerson(world, experiment, reason);
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
  retried('backwards', 'reports one step for ever'),
  retried('outlived', 'ends, and leaves its output open to a program that outlives it'),
  retried('hang', 'hangs: the worker beats, the trainer says nothing'),
];

export const trainerFaults: OneWorldTable = {
  cells: everyPair([...some, ...others], [moments.firstFineTune]),
  always: everyPair(some, [moments.firstFineTune]),
};
