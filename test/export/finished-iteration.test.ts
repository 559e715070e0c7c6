import { rm } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { finishedIteration } from '../../src/export/finished-iteration.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { writeExportableExperiment } from './exportable-experiment.ts';

const store = openStore(temporaryFolder());
beforeAll(async () => {
  await writeExportableExperiment(store, 'done', { iterations: 2 });
  await writeExportableExperiment(store, 'running', { iterations: 2, finished: false });
  await writeExportableExperiment(store, 'only-base', { iterations: 0 });
});

describe('the iteration that is exported', () => {
  it('is the last one of a finished experiment by default', async () => {
    expect((await finishedIteration(store, 'done', undefined)).iteration).toBe(2);
    expect((await finishedIteration(store, 'done', 1)).iteration).toBe(1);
  });

  it('may be one of an experiment that goes on, but only when it is named', async () => {
    expect((await finishedIteration(store, 'running', 1)).records).toHaveLength(1);
    await expect(finishedIteration(store, 'running', undefined)).rejects.toThrow(
      'running has not finished, so its last iteration is not known yet. --iteration 2 takes',
    );
  });

  it('is finished only with its evaluation', async () => {
    await writeExportableExperiment(store, 'not-measured', { iterations: 2, finished: false });
    await rm(experimentFiles(store, 'not-measured').evaluation(2).where);
    await expect(finishedIteration(store, 'not-measured', 2)).rejects.toThrow(
      'no finished iteration 2. Finished: 1.',
    );
  });

  it.each([
    ['an experiment that is not in the store', 'never', undefined, 'ExperimentNotInStore', /never/],
    ['an iteration that there is not', 'done', 5, 'IterationNotFinished', /Finished: 1, 2/],
    ['the base model', 'done', 0, 'NothingTrained', /iteration 0 is the base model/],
    ['an experiment without iterations', 'only-base', undefined, 'NothingTrained', /only evaluated the base/],
  ])('is refused: %s', async (_, experiment, iteration, name, message) => {
    await expect(finishedIteration(store, experiment, iteration)).rejects.toThrow(
      expect.objectContaining({ name, message: expect.stringMatching(message) }),
    );
  });
});
