import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../../../src/activities/steps/prepare.ts';
import { readWarnings } from '../../../src/report/read/experiment.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { completion, json, serve } from '../../engines/fixtures/http-server.ts';
import { writeRows } from '../../questions/samples.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { startInstantEngine } from '../../support/instant-engine.ts';
import { runStep } from '../../support/run-step.ts';
import { smallExperiment } from '../../support/small-experiment.ts';
import { testDependencies } from '../../support/test-dependencies.ts';
import { changeConfig } from '../../../src/activities/steps/begun-with.ts';
import { fineTune } from '../../../src/activities/steps/fine-tune.ts';
import { recordIteration } from '../../../src/activities/steps/write-result.ts';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { configInForce } from '../../../src/store/records/config-changes.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';

const storeRoot = temporaryFolder();

describe('preparing an experiment again', () => {
  const model = join(storeRoot, 'base');
  const old = { 'model.safetensors': 'weights', 'tokenizer.json': '{}', 'chat_template.jinja': '{{ m }}' };
  const writeModel = (files: Readonly<Record<string, string>>): void => {
    rmSync(model, { recursive: true, force: true });
    mkdirSync(model);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(model, name), text);
  };
  /** A server that answers for the folder, under a name that may be an alias. */
  const serveModel = (answeredAs: () => string = () => model) =>
    serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: model }] })
        : json(response, { ...completion('1'), model: answeredAs() }),
    );
  const input = {
    ...smallExperiment,
    iterations: 0,
    model: { endpoint: 'instant', model_name_or_path: model },
  };
  /** A worker and a server with the old model, until the test changes the folder. */
  const startWorker = async (answeredAs?: () => string) => {
    writeModel(old);
    const server = await serveModel(answeredAs);
    const dependencies = testDependencies({ storeRoot, engineUrl: server.url, kind: 'openai' });
    return {
      run: (experiment: string, settings: object = {}) =>
        runStep(prepare, { experiment, input: { ...input, ...settings } }, dependencies),
      [Symbol.asyncDispose]: async () => {
        await dependencies.close();
        await server[Symbol.asyncDispose]();
      },
    };
  };

  it.each([
    ['weights', 'model.safetensors', 'others', /weights: model\.safetensors:\w{64} then, .*:\w{64} now/],
    ['another tokenizer', 'tokenizer.json', '{"v": 2}', /tokenizer\.json: \w{64} then, \w{64} now/],
    ['another template', 'chat_template.jinja', 'x', /chat_template\.jinja: \w{64} then, \w{64} now/],
    [
      'settings of generation',
      'generation_config.json',
      '{}',
      /generation_config\.json: not there then, \w{64} now/,
    ],
  ])(
    'is refused when its base model has %s now, and each remedy in the message helps',
    async (_, name, text, change) => {
      await using worker = await startWorker();
      const { run } = worker;
      try {
        const plan = await run('begun');
        const before = readFileSync(join(storeRoot, 'begun', 'begun-with.json'), 'utf8');
        writeModel({ ...old, [name]: text });
        const error: unknown = await run('begun').catch((reason: unknown) => reason);
        // Another worker may have the old model, so the step is offered again, and then waits for a person.
        expect(error).toMatchObject({ type: 'BaseModelChanged', nonRetryable: false });
        const { message } = error as Error;
        expect(message).toMatch(change);
        expect(message).toContain(`The base model ${model} is not the one that this experiment began with`);
        const remedy = `Put the old one back and try again. To use the new one, start another experiment under a new name, or remove ${join(storeRoot, 'begun')}:`;
        expect(message).toContain(remedy);
        expect((await run('begun-under-a-new-name')).base).not.toEqual(plan.base);
        writeModel({ ...old, 'README.md': 'About it' });
        expect(await run('begun')).toEqual(plan);
        expect(readFileSync(join(storeRoot, 'begun', 'begun-with.json'), 'utf8')).toBe(before);
        writeModel({ ...old, [name]: text });
        rmSync(join(storeRoot, 'begun'), { recursive: true });
        expect((await run('begun')).base).not.toEqual(plan.base);
      } finally {
        rmSync(join(storeRoot, 'begun'), { recursive: true, force: true });
        rmSync(join(storeRoot, 'begun-under-a-new-name'), { recursive: true, force: true });
      }
    },
  );

  it('is refused when a hosted model answers under another name than at the beginning', async () => {
    let answeredAs = 'large-2411';
    await using worker = await startWorker(() => answeredAs);
    const run = () => worker.run('alias');
    const plan = await run();
    answeredAs = 'large-2502';
    await expect(run()).rejects.toThrow('name under which it answers: large-2411 then, large-2502 now');
    answeredAs = 'large-2411';
    expect(await run()).toEqual(plan);
  });

  it('has the model under any name that its server has for it', async () => {
    const name = 'accounts/one/models/large';
    await using server = await serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: name }] })
        : json(response, { ...completion('1'), model: name }),
    );
    const dependencies = testDependencies({ storeRoot, engineUrl: server.url, kind: 'openai' });
    const hosted = { ...input, model: { endpoint: 'instant', model_name_or_path: name } };
    try {
      const plan = await runStep(prepare, { experiment: 'hosted', input: hosted }, dependencies);
      expect(plan.base.base).toMatchObject({ name, weights: name });
      expect(await runStep(prepare, { experiment: 'hosted', input: hosted }, dependencies)).toEqual(plan);
    } finally {
      await dependencies.close();
    }
  });

  it('goes on with what an earlier version began, and records the base model from then on', async () => {
    await using worker = await startWorker();
    const run = () => worker.run('early');
    const plan = await run();
    for (const name of ['begun-with.json', 'begun-with.json.ref.json', 'begun'])
      rmSync(join(storeRoot, 'early', name), { recursive: true });
    const unrecorded = expect.objectContaining({ kind: 'base model unrecorded' });
    expect(await run()).toEqual({ ...plan, warnings: expect.arrayContaining([unrecorded]) });
    // The warning stays, because the debates stay.
    expect((await run()).warnings).toContainEqual(unrecorded);
    expect(await readWarnings(experimentFiles(openStore(storeRoot), 'early'))).toContainEqual(unrecorded);
    writeModel({ ...old, 'model.safetensors': 'others' });
    await expect(run()).rejects.toMatchObject({ type: 'BaseModelChanged' });
  });

  const flipped = (path: string): void => {
    const bytes = readFileSync(path);
    const middle = bytes.length >> 1;
    bytes[middle] = bytes[middle]! ^ 4;
    writeFileSync(path, bytes);
  };
  const emptied = (path: string): void => writeFileSync(path, '');
  const removed = (path: string): void => {
    for (const name of [path, `${path}.ref.json`]) rmSync(name);
  };

  it.each([
    ['a flipped bit in', 'begun-with.json', flipped],
    ['no bytes in', 'begun-with.json', emptied],
    ['neither file nor seal of', 'begun-with.json', removed],
    ['a flipped bit in', 'config.json', flipped],
    ['neither file nor seal of', 'config.json', removed],
  ])('is refused with another model or other settings when there is %s %s', async (_, name, damage) => {
    await using worker = await startWorker();
    const run = (settings = {}) => worker.run('damaged', settings);
    const path = join(storeRoot, 'damaged', name);
    try {
      const plan = await run();
      damage(path);
      writeModel({ ...old, 'model.safetensors': 'others' });
      await expect(run()).rejects.toMatchObject({ type: 'BaseModelChanged' });
      writeModel(old);
      damage(path);
      await expect(run({ rounds: 3 })).rejects.toMatchObject({ type: 'InvalidConfig' });
      damage(path);
      expect(await run()).toEqual(plan);
      damage(join(storeRoot, 'damaged', 'begun', name));
      expect(await run()).toEqual(plan);
    } finally {
      rmSync(join(storeRoot, 'damaged'), { recursive: true, force: true });
    }
  });

  it.each([
    ['begun-with.json', flipped],
    ['begun-with.json', removed],
    ['config.json', flipped],
  ])(
    'waits for a person when %s is lost twice, and each remedy in the message helps',
    async (name, damage) => {
      await using worker = await startWorker();
      const run = () => worker.run('lost');
      const folder = join(storeRoot, 'lost');
      const places = [join(folder, name), join(folder, 'begun', name)] as const;
      try {
        const plan = await run();
        const backup = [places[1], `${places[1]}.ref.json`].map(
          (path) => [path, readFileSync(path)] as const,
        );
        for (const path of places) damage(path);
        // The second try fails too, although the damaged files have been set aside by then.
        for (const _ of [1, 2]) {
          const error: unknown = await run().catch((reason: unknown) => reason);
          expect(error).toMatchObject({ type: 'RecordLost', nonRetryable: true });
          expect((error as Error).message).toContain(
            `${places[0]} is damaged or missing, and so is its copy ${places[1]}.`,
          );
          expect((error as Error).message).toContain(`or remove ${folder} to begin again`);
        }
        for (const [path, bytes] of backup) writeFileSync(path, bytes);
        expect(await run()).toEqual(plan);
        rmSync(folder, { recursive: true });
        expect(await run()).toEqual(plan);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it('does not start again with other settings when its config is gone and its debates are there', async () => {
    await using worker = await startWorker();
    const run = () => worker.run('debated');
    await run();
    const folder = join(storeRoot, 'debated');
    mkdirSync(join(folder, 'iteration-0'));
    writeFileSync(join(folder, 'iteration-0', 'evaluation.json'), '{}');
    for (const path of [folder, join(folder, 'begun')]) removed(join(path, 'config.json'));
    await expect(run()).rejects.toMatchObject({ type: 'RecordLost' });
  });

  it('keeps its questions when a file of them has changed, and says so', async () => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    const question = (n: number) => ({ question: `${n}+${n}`, answer: String(2 * n) });
    const file = writeRows(
      join(storeRoot, 'own.jsonl'),
      Array.from({ length: 40 }, (_, n) => question(n)),
    );
    const own = {
      ...smallExperiment,
      task: { kind: 'jsonl', train_file: file, train_size: 16, test_size: 16 },
    };
    const run = () => runStep(prepare, { experiment: 'own', input: own }, dependencies);
    const questions = () => readFileSync(join(storeRoot, 'own', 'questions', 'train.jsonl'), 'utf8');
    try {
      const plan = await run();
      const before = questions();
      const asBegun = readFileSync(file);
      writeRows(
        file,
        Array.from({ length: 50 }, (_, n) => question(n + 100)),
      );
      const again = await run();
      const changed = expect.objectContaining({
        kind: 'questions changed',
        says: `Changed since this experiment began: ${file}. Its questions are still those from the beginning.`,
      });
      expect(again).toEqual({ ...plan, warnings: expect.arrayContaining([changed]) });
      expect(await readWarnings(experimentFiles(openStore(storeRoot), 'own'))).toContainEqual(changed);
      expect(questions()).toBe(before);
      const stored = join(storeRoot, 'own', 'questions', 'train.jsonl');
      flipped(stored);
      const error: unknown = await run().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ type: 'QuestionsLost', nonRetryable: true });
      expect((error as Error).message).toContain(
        `Stored questions are damaged or missing (${stored}), and what they were`,
      );
      expect((error as Error).message).toContain(`Put the old version of ${file} back`);
      writeFileSync(file, asBegun);
      expect(await run()).toEqual(plan);
      expect(questions()).toBe(before);
      rmSync(file);
      expect(await run()).toEqual(plan);
    } finally {
      await dependencies.close();
    }
  });
});

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
