/** Whole processes are killed, at every moment of an experiment. */
import { describe } from 'vitest';
import { everyPair, faultTable } from './fault-table.ts';
import { moments } from './moments.ts';
import { processFaults } from './process-faults.ts';

const { killWorker, terminateWorker, interruptWorker, killEngine, killTrainer, killServer, powerCut } =
  processFaults;
const { firstFineTune, thirdFineTune, manifest, round1, round2, datasets, evaluation, continueAsNew } =
  moments;

describe('an experiment gives the same results, and repeats only what was in flight, after', () => {
  faultTable({
    file: 'processes',
    worlds: 'each',
    cells: everyPair(Object.values(processFaults), Object.values(moments)),
    // A walk through the table that meets every fault.
    always: [
      [killWorker, round2],
      [killWorker, thirdFineTune],
      [terminateWorker, firstFineTune],
      [interruptWorker, evaluation],
      [killEngine, round1],
      [killTrainer, manifest],
      [killServer, datasets],
      [powerCut, continueAsNew],
    ],
  });
});
