/** Whole processes are killed, at every moment of an experiment. */
import { describe } from 'vitest';
import { everyPair, faultTable } from './fault-table.ts';
import { moments } from './moments.ts';
import { lackingWorker, processFaults } from './process-faults.ts';

const { killWorker, terminateWorker, killTrainer, killServer, powerCut } = processFaults;
const { firstFineTune, thirdFineTune, manifest, round2, continueAsNew } = moments;

describe('an experiment gives the same results, and repeats only what was in flight, after', () => {
  faultTable({
    file: 'processes',
    worlds: 'each',
    cells: [
      ...everyPair(Object.values(processFaults), Object.values(moments)),
      ...everyPair([lackingWorker], [moments.round1, moments.thirdFineTune]),
    ],
    // The costliest; `npm run faults` and `npm run chaos` meet all.
    always: [
      [killWorker, thirdFineTune],
      [terminateWorker, firstFineTune],
      [killTrainer, manifest],
      [killServer, round2],
      [powerCut, continueAsNew],
    ],
  });
});
