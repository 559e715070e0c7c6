/** Whole processes are killed or stopped, at every moment of an experiment. */
import { describe } from 'vitest';
import { everyPair, faultTable } from './fault-table.ts';
import { moments } from './moments.ts';
import { lackingWorker, processFaults, stalledWorker } from './process-faults.ts';

const { killWorker, terminateWorker, killTrainer, killServer, powerCut } = processFaults;
const { firstFineTune, thirdFineTune, manifest, round1, round2, continueAsNew } = moments;

describe('an experiment gives the same results, and repeats only what was in flight, after', () => {
  faultTable({
    file: 'processes',
    worlds: 'each',
    cells: [
      ...everyPair(Object.values(processFaults), Object.values(moments)),
      ...everyPair([lackingWorker, stalledWorker], [moments.round1, moments.thirdFineTune]),
    ],
    // The costliest; `npm run faults` and `npm run chaos` meet all.
    always: [
      [stalledWorker, round1],
      [killWorker, thirdFineTune],
      [terminateWorker, firstFineTune],
      [killTrainer, manifest],
      [killServer, round2],
      [powerCut, continueAsNew],
    ],
  });
});
