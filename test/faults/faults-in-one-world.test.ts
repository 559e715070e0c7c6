/** Faults that the worker and the server live through: of the engine, the trainer, the disk, people, and what is around. */
import { describe } from 'vitest';
import { engineFaults } from './engine-faults.ts';
import { faultTable, type OneWorldTable } from './fault-table.ts';
import { steeringFaults } from './steering-faults.ts';
import { storeFaults } from './store-faults.ts';
import { surroundings } from './surroundings.ts';
import { trainerFaults } from './trainer-faults.ts';

const tables: readonly OneWorldTable[] = [
  engineFaults,
  trainerFaults,
  storeFaults,
  steeringFaults,
  surroundings,
];

describe('an experiment gives the same results, and repeats only what was in flight, after', () => {
  faultTable({
    file: 'one-world',
    worlds: 'one',
    cells: tables.flatMap(({ cells }) => cells),
    always: tables.flatMap(({ cells, always = cells }) => always),
  });
});
