import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fineTune, pruneModels, remakeModel } from '../../../src/activities/steps/fine-tune.ts';
import { ArtifactMissing } from '../../../src/store/errors.ts';
import { requireModels, requireNotPruned } from '../../../src/store/models.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { activityEnvironment, beatsOf, runStep } from '../../support/run-step.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';
import { until } from '../../support/until.ts';

describe('a fine-tune, as an activity,', () => {
  let steps: StepsOfAnExperiment;
  let control: string;
  let log: string;
  beforeEach(async () => {
    const folder = temporaryFolder();
    control = join(folder, 'control');
    log = join(folder, 'learnt.log');
    await mkdir(control);
    steps = await stepsOfAnExperiment(['--control', control, '--log', log]);
  });
  afterEach(() => steps[Symbol.asyncDispose]());

  /** What the trainer has begun and finished, and at which step. */
  const learnt = async () =>
    (await readFile(log, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.replace(/ [0-9a-f]{16} /, ' '));

  it('shows its steps in its heartbeats, saves a checkpoint when it is cancelled, and goes on from there', async () => {
    const [request] = await steps.fineTunes();
    await writeFile(join(control, 'hold'), JSON.stringify({ model: 0, at: 'checkpoint' }));
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    const ended = runStep(fineTune, request!, steps.dependencies, environment).catch(
      (error: unknown) => error,
    );
    await until('a checkpoint is written', () => existsSync(join(control, 'held')));
    await until('it is shown', () => 'checkpoint' in (beats.at(-1) ?? {}));
    expect(beats.at(-1)).toEqual({
      trainer: 'local',
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      iteration: 1,
      agent: 1,
      role: 'generation',
      step: 1,
      totalSteps: 4,
      rows: request!.dataset.rows,
      droppedRows: 0,
      loss: 1,
      tokensPerSecond: 1000,
      checkpoint: 1,
    });
    environment.cancel();
    expect(await ended).toBeInstanceOf(CancelledFailure);
    expect(await learnt()).toEqual(['begin 0']);
    await rm(join(control, 'held'));

    // What an earlier attempt has shown is not what it has saved.
    const next = activityEnvironment({ attempt: 2, heartbeatDetails: { ...beats.at(-1), checkpoint: 3 } });
    const { trained, steps: taken } = await runStep(fineTune, request!, steps.dependencies, next);
    expect({ trained, taken }).toEqual({ trained: true, taken: 4 });
    expect(await learnt()).toEqual(['begin 0', 'begin 1', 'end 4']);
  });

  it('whose model was removed counts as done, until the model is needed and made again', async () => {
    const [request] = await steps.fineTunes();
    const { store } = steps.dependencies;
    const { model, finalLoss } = await runStep(fineTune, request!, steps.dependencies);
    const { key } = model.tuned!;
    const remove = (experiment: string) =>
      runStep(pruneModels, { experiment, iteration: 2, keys: [key] }, steps.dependencies);
    await remove('another');
    await requireModels(store, [model]);
    await remove(request!.experiment);
    await remove(request!.experiment);
    await expect(requireModels(store, [model])).rejects.toBeInstanceOf(ArtifactMissing);
    await expect(requireNotPruned(store, key)).rejects.toThrow(/keep: last/);
    expect(await runStep(fineTune, request!, steps.dependencies)).toMatchObject({ model, finalLoss });
    expect(await learnt()).toEqual(['begin 0', 'end 4']);
    await runStep(remakeModel, { key }, steps.dependencies);
    await requireModels(store, [model]);
    await requireNotPruned(store, key);
    expect(await learnt()).toEqual(['begin 0', 'end 4', 'begin 0', 'end 4']);
  });

  it('that is finished is found, and not begun again', async () => {
    const [request] = await steps.fineTunes();
    const first = await runStep(fineTune, request!, steps.dependencies);
    expect(first).toMatchObject({ droppedRows: 0, peakLearningRate: 1e-3, moved: { klPerToken: 0.005 } });
    const again = activityEnvironment({ attempt: 2 });
    expect(await runStep(fineTune, request!, steps.dependencies, again)).toEqual(first);
    expect(await learnt()).toEqual(['begin 0', 'end 4']);
  });
});
