/** One store that two hosts have mounted at different paths. */
import { rm, symlink } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { fineTune } from '../../../src/activities/steps/fine-tune.ts';
import { runStep } from '../../support/run-step.ts';
import { stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';
import { testDependencies } from '../../support/test-dependencies.ts';

it('a worker fine-tunes on datasets that another worker has built at another path of the store', async () => {
  await using steps = await stepsOfAnExperiment();
  const [request] = await steps.fineTunes();
  const elsewhere = `${steps.dependencies.store.root} mounted elsewhere`;
  await symlink(steps.dependencies.store.root, elsewhere);
  const there = testDependencies({ storeRoot: elsewhere, engineUrl: steps.engine.url });
  try {
    expect(JSON.stringify(request)).not.toContain(steps.dependencies.store.root);
    const trained = await runStep(fineTune, request!, there);
    // The first worker finds the model that the second one has made, and trains nothing.
    expect(await runStep(fineTune, request!, steps.dependencies)).toEqual(trained);
  } finally {
    await there.close();
    await rm(elsewhere);
  }
}, 60_000);
