import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeConfig } from '../../../src/activities/steps/change-config.ts';
import { fineTune } from '../../../src/activities/steps/fine-tune.ts';
import { prepare } from '../../../src/activities/steps/prepare.ts';
import { recordIteration } from '../../../src/activities/steps/record-iteration.ts';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { configInForce } from '../../../src/store/records/config-changes.ts';
import { experimentFiles } from '../../../src/store/store.ts';
import { runStep } from '../../support/run-step.ts';
import { smallExperiment } from '../../support/small-experiment.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';

describe('changing the settings of an experiment that runs', () => {
  let steps: StepsOfAnExperiment;
  beforeAll(async () => {
    steps = await stepsOfAnExperiment();
  });
  afterAll(() => steps[Symbol.asyncDispose]());

  const experiment = 'steps';
  const change = (settings: Record<string, unknown>, phase = 'fine-tuning', iteration = 1) =>
    runStep(changeConfig, { experiment, settings, iteration, phase }, steps.dependencies);
  const refusal = async (settings: Record<string, unknown>, phase?: string) =>
    change(settings, phase).catch((error: unknown) => error);

  it.each([
    [{ rounds: 3 }, 'rounds: cannot be changed: finished work depends on it; only these can be now: trunc'],
    [{ 'task.train_size': 8 }, 'task.train_size: cannot be changed'],
    [{ iterations: 4 }, 'iterations: is changed by `colloquy set-iterations`'],
    [{ fine_tune: { learning_rte: 1 } }, 'fine_tune.learning_rte: unknown key; the nearest valid one is'],
    [{ 'fine_tune.learning_rate': 'fast' }, 'fine_tune.learning_rate: "fast" was given; expected'],
    [{ trainer: 'gone' }, 'trainer: no trainer is called "gone"'],
    [{ min_votes: 4 }, 'min_votes: 4 was given; more votes than there are agents'],
    [{ 'diversity.questions': 8 }, 'diversity.questions: diversity is not measured in this experiment'],
  ])('refuses %j, saying why', async (settings, words) => {
    const error = await refusal(settings);
    expect(error).toMatchObject({ type: 'InvalidConfig', nonRetryable: true });
    expect((error as Error).message).toContain(words);
  });

  it('changes all or nothing, and nothing twice', async () => {
    await refusal({ 'fine_tune.lora_r': 4, seed: 9 });
    expect(
      (await configInForce(experimentFiles(steps.dependencies.store, experiment))).fine_tune.lora_r,
    ).toBe(8);
    const settings = { 'fine_tune.lora_r': 4, fine_tune: { lora_alpha: 8 } };
    expect(await change(settings, 'evaluating')).toMatchObject([
      { path: 'fine_tune.lora_alpha', before: 16, after: 8, fromIteration: 2 },
      { path: 'fine_tune.lora_r', before: 8, after: 4, fromIteration: 2 },
    ]);
    expect(await change(settings, 'evaluating')).toEqual([]);
  });

  it('holds for the models that are not finished; those that are stay, also when they are asked for again', async () => {
    const [first, second] = await steps.fineTunes();
    const before = await runStep(fineTune, first!, steps.dependencies);
    await change({ 'fine_tune.learning_rate': 0.25 });
    expect(await runStep(fineTune, first!, steps.dependencies)).toEqual(before);
    const { model } = await runStep(fineTune, second!, steps.dependencies);
    const changed = await runStep(fineTune, { ...second!, iteration: 2 }, steps.dependencies);
    expect(changed.model).not.toEqual(model);
    // Iteration 2 has the other change as well.
    const files = experimentFiles(steps.dependencies.store, experiment);
    expect((await configInForce(files, 1)).fine_tune).toMatchObject({ learning_rate: 0.25, lora_r: 8 });
    expect((await configInForce(files, 2)).fine_tune).toMatchObject({ learning_rate: 0.25, lora_r: 4 });
    expect((await configInForce(files, 0)).fine_tune).toMatchObject({ learning_rate: 8e-4, lora_r: 8 });
  });

  it.each([
    ['a prompt that does not fit into the context', { truncate_dialogues: true }, 'debating'],
    ['a GPU without memory', { 'fine_tune.per_device_train_batch_size': 1 }, 'fine-tuning'],
    ['a GPU without memory', { 'fine_tune.gradient_checkpointing': true }, 'fine-tuning'],
    ['settings that the trainer refuses', { 'fine_tune.lora_target_modules': ['q_proj'] }, 'fine-tuning'],
    ['too few votes', { min_votes: 1 }, 'debating'],
  ])('is what the message of %s names, and holds for the step that waits', async (_, settings, phase) => {
    const [path = ''] = Object.keys(settings);
    expect(await change(settings, phase, 5)).toMatchObject([{ path, fromIteration: 5 }]);
  });

  it('lets the experiment be started again with the config as it was begun or as it is now, and no other', async () => {
    const started = (fine_tune: object) =>
      runStep(prepare, { experiment, input: { ...smallExperiment, fine_tune } }, steps.dependencies);
    const plan = await started({});
    const now = await configInForce(experimentFiles(steps.dependencies.store, experiment));
    expect(
      await runStep(prepare, { experiment, input: { preset: 'paper', ...now } }, steps.dependencies),
    ).toEqual(plan);
    await expect(started({ learning_rate: 0.5 })).rejects.toThrow(
      'start it with the config that it was begun with, and then change it: colloquy change steps fine_tune.learning_rate=0.5',
    );
  });

  it('is what a warning names as the setting of today', async () => {
    await change({ 'fine_tune.learning_rate': 0.125 });
    const still = { klPerToken: 1e-7, tokens: 100, rows: 8 };
    const warnings = await runStep(
      recordIteration,
      {
        experiment,
        iteration: 1,
        consensus: {
          questions: 8,
          unanimous: 8,
          ties: 0,
          withoutLabel: 0,
          unparsableAnswers: 0,
          truncatedPrompts: 0,
          oneVote: 0,
          answers: 48,
        },
        cutOff: noneCutOff,
        datasets: [],
        fineTunes: [
          {
            agent: 1,
            role: 'generation',
            model: 'a'.repeat(64),
            rows: 8,
            steps: 2,
            finalLoss: 1,
            droppedRows: 0,
            losses: [],
            peakLearningRate: 0.125,
            moved: still,
          },
        ],
        tokens: { debate: { prompt: 1, completion: 1 }, fineTune: 1 },
        seconds: { debate: 1, datasets: 1, fineTune: 1 },
      },
      steps.dependencies,
    );
    const didNotMove = warnings.find(({ kind }) => kind === 'did not move');
    expect(didNotMove?.remedy).toContain('fine_tune.learning_rate (it is 0.125;');
  });
});
