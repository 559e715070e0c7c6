import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostname } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { baseModelsOf } from '../../../src/config/agents.ts';
import { requireTrainable } from '../../../src/activities/steps/prepare-models.ts';
import { prepare } from '../../../src/activities/steps/prepare.ts';
import { experimentConfigSchema } from '../../../src/config/experiment.ts';
import { createEndpoints, openEndpoint } from '../../../src/engines/endpoint/open.ts';
import { createGpuGate } from '../../../src/engines/gpu-gate.ts';
import { createTrainers } from '../../../src/engines/trainer/open.ts';
import { readWarnings } from '../../../src/report/read/experiment.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { onEvent } from '../../../src/observe/events.ts';
import { embeddedModel } from '../../engines/fixtures/adapter.ts';
import { completion, json, serve } from '../../engines/fixtures/http-server.ts';
import { baseName, startVllm } from '../../engines/fixtures/vllm-server.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { startInstantEngine } from '../../support/instant-engine.ts';
import { openDependencies } from '../../../src/workers/start.ts';
import { endpointsThatSay } from '../../support/endpoints-that-say.ts';
import { activityEnvironment, beatsOf, runStep } from '../../support/run-step.ts';
import { smallExperiment } from '../../support/small-experiment.ts';
import { testDependencies } from '../../support/test-dependencies.ts';
import { gsm8kRow, rows, writeDataset, writeRows } from '../../questions/samples.ts';

const storeRoot = temporaryFolder();
const { signal } = new AbortController();

describe('preparing an experiment on a dataset', () => {
  it('writes the pinned commit into its config, and which questions were left out beside the questions', async () => {
    const told: unknown[] = [];
    onEvent('questions left out', (leftOut) => told.push(leftOut));
    const copy = writeDataset(join(storeRoot, 'copy'), 'gsm8k', { train: 30, test: 20 });
    const seen = writeRows(join(storeRoot, 'seen.jsonl'), rows(0, 4, gsm8kRow));
    const task = {
      kind: 'gsm8k',
      dataset_path: copy,
      train_size: 20,
      test_size: 10,
      decontaminate: [seen],
    };
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    try {
      const input = { ...smallExperiment, task };
      const plan = await runStep(prepare, { experiment: 'words', input }, dependencies);
      expect(plan).toMatchObject({ train: { questions: 20 }, heldout: { questions: 10 } });
      // Begun again, its questions are read from its own folder.
      expect(await runStep(prepare, { experiment: 'words', input }, dependencies)).toEqual(plan);
    } finally {
      await dependencies.close();
    }
    const document = (...path: string[]): unknown =>
      JSON.parse(readFileSync(join(storeRoot, 'words', ...path), 'utf8'));
    expect(document('config.json')).toMatchObject({
      task: { revision: expect.stringMatching(/^[0-9a-f]{40}$/) },
    });
    const what = `training questions that ${seen} has too`;
    const examples = rows(0, 3, gsm8kRow).map(({ question }) => `${String(question).slice(0, 79)}…`);
    expect(document('questions', 'left-out.json')).toEqual({
      formatVersion: 1,
      leftOut: [{ what, count: 4, examples }],
    });
    expect(told).toEqual([{ experiment: 'words', what, count: 4, examples }]);
  });

  it('has no agent learn where the endpoint serves no fine-tuned models, so that no iteration can be asked for later', async () => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url, kind: 'openai' });
    const input = {
      ...smallExperiment,
      iterations: 0,
      task: { kind: 'arithmetic', train_size: 8, test_size: 8 },
    };
    try {
      expect(await runStep(prepare, { experiment: 'api', input }, dependencies)).toMatchObject({
        learners: [],
      });
    } finally {
      await dependencies.close();
    }
  });

  it('names what training cannot use before anything is asked, and asks of it a row of each kind', async () => {
    const asked: Record<string, unknown>[] = [];
    const words = "lora_target_modules: 'lm_head' is an embedding";
    await using server = await serve((response, { path, body }) => {
      if (path === '/v1/models') return json(response, { data: [{ id: 'instant' }] });
      asked.push({ path, ...body });
      json(response, { error: { message: words, code: 400 } }, 400);
    });
    const dependencies = testDependencies({ storeRoot, engineUrl: server.url });
    const input = {
      ...smallExperiment,
      rounds: 3,
      sampling: { enable_thinking: false },
      fine_tune: { lora_target_modules: ['lm_head'] },
    };
    try {
      await expect(runStep(prepare, { experiment: 'untrainable', input }, dependencies)).rejects.toThrow(
        `fine_tune: TrainingImpossible: The base model cannot be fine-tuned like this: ${words}`,
      );
    } finally {
      await dependencies.close();
    }
    expect(asked).toMatchObject([{ path: '/v1/check_training', lora_target_modules: ['lm_head'] }]);
    const examples = asked[0]?.['examples'] as { kind: string; prompt: object[] }[];
    for (const each of examples)
      expect(each).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
    expect(examples.map(({ kind, prompt }) => [kind, prompt.length])).toEqual([
      ['a first answer', 1],
      ['a revised answer', 5],
      ['a rationale', 1],
    ]);
  });

  it('says in its warnings what the endpoint lacks, and refuses one without room for an answer', async () => {
    let context = 4096;
    await using server = await serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: 'instant', max_model_len: context }] })
        : json(response, { choices: [{ message: { content: '1' }, finish_reason: 'stop' }] }),
    );
    const dependencies = testDependencies({ storeRoot, engineUrl: server.url, kind: 'openai' });
    const input = { ...smallExperiment, iterations: 0 };
    try {
      const { warnings } = await runStep(prepare, { experiment: 'lacking', input }, dependencies);
      const lacking = {
        kind: 'endpoint',
        says: expect.stringMatching(/three seeds the same answer.*does not count tokens \(usage\)/),
        remedy: expect.stringContaining('take another server'),
      };
      expect(warnings).toContainEqual(lacking);
      // The one list of warnings: also of the report and result.json.
      expect(await readWarnings(experimentFiles(openStore(storeRoot), 'lacking'))).toContainEqual(lacking);
      context = 8;
      await expect(runStep(prepare, { experiment: 'narrow', input }, dependencies)).rejects.toThrow(
        /model: MaxTokensTooLarge: sampling.max_tokens is \d+, and the context of the model has only 8 tokens/,
      );
    } finally {
      await dependencies.close();
    }
  });

  it('has a server that cannot check training load a made-up adapter, and leaves none behind', async () => {
    await using server = await startVllm({ greatestRank: 8, rankOf: (path) => rankIn(path) });
    const rankIn = (path: string): number =>
      (JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')) as { r: number }).r;
    const store = openStore(storeRoot);
    const config = experimentConfigSchema.parse({
      task: { kind: 'arithmetic' },
      model: { endpoint: 'gpu', model_name_or_path: embeddedModel },
      fine_tune: { lora_r: 16 },
    });
    const trainers = createTrainers({ local: { kind: 'process' } }, { store, gate: createGpuGate() });
    const endpoint = openEndpoint({ kind: 'vllm', url: server.url }, baseName, {
      logFolder: store.logs,
      modelFolder: async () => storeRoot,
    });
    try {
      await expect(
        requireTrainable(config, baseModelsOf(config)[0]!, endpoint, trainers, store, signal),
      ).rejects.toMatchObject({
        name: 'AdapterNotLoaded',
        message: expect.stringContaining('--max-lora-rank 16'),
      });
      expect(server.adapters.size).toBe(0);
      expect(readdirSync(join(storeRoot, 'models'))).toEqual([]);
    } finally {
      await endpoint.close();
      await trainers.close();
    }
  }, 120_000);

  it('waits until no fine-tune has the device of its endpoint, and shows that', async () => {
    const store = openStore(storeRoot);
    const dependencies = openDependencies({ store, endpoints: endpointsThatSay(() => '\\boxed{1}') });
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    const input = { ...smallExperiment, model: { endpoint: 'here', model_name_or_path: embeddedModel } };
    const waits = (): boolean =>
      beats.at(-1) !== undefined && 'fineTuneHasDeviceSince' in (beats.at(-1) ?? {});
    let end = (): void => undefined;
    const tuning = dependencies.gate.exclusive(signal, () => new Promise<void>((resolve) => (end = resolve)));
    try {
      const preparing = runStep(prepare, { experiment: 'second', input }, dependencies, environment);
      await vi.waitUntil(waits, { timeout: 10_000 });
      expect(existsSync(join(storeRoot, 'second', 'config.json'))).toBe(false);
      end();
      await tuning;
      expect((await preparing).experiment).toBe('second');
    } finally {
      end();
      await dependencies.close();
    }
  });

  it('records the name under which a hosted model answers', async () => {
    await using server = await serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: 'instant' }] })
        : json(response, { ...completion('1'), model: 'other-2411' }),
    );
    const dependencies = testDependencies({ storeRoot, engineUrl: server.url, kind: 'openai' });
    const input = { ...smallExperiment, iterations: 0 };
    try {
      const plan = await runStep(prepare, { experiment: 'hosted', input }, dependencies);
      expect(plan.base.base.revision).toBe('other-2411');
    } finally {
      await dependencies.close();
    }
  });

  it('refuses a plan with few optimiser steps before a model is asked, unless it is allowed', async () => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    const input = { ...smallExperiment, allow_few_steps: false };
    const before = (await engine.state()).answered;
    try {
      await expect(runStep(prepare, { experiment: 'few', input }, dependencies)).rejects.toThrow(
        /fine_tune: a generation model would have about 1\d rows and 2 optimiser steps/,
      );
      expect(existsSync(join(storeRoot, 'few', 'config.json'))).toBe(false);
      expect((await engine.state()).answered).toBe(before);
      const allowed = { ...input, allow_few_steps: true };
      await runStep(prepare, { experiment: 'few', input: allowed }, dependencies);
    } finally {
      await dependencies.close();
    }
  });

  it('names what is wrong with the task before anything is written', async () => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    const input = { ...smallExperiment, task: { kind: 'gsm8k', dataset_path: join(storeRoot, 'nothing') } };
    try {
      await expect(runStep(prepare, { experiment: 'wrong', input }, dependencies)).rejects.toThrow(
        /task: InvalidTaskFile: The task file .*nothing cannot be used/,
      );
    } finally {
      await dependencies.close();
    }
    expect(existsSync(join(storeRoot, 'wrong', 'config.json'))).toBe(false);
  });
});

describe('preparing an experiment that names a trainer', () => {
  it('refuses a name that the worker does not know, before anything is written', async () => {
    const dependencies = testDependencies({ storeRoot, engineUrl: 'http://127.0.0.1:1/v1' });
    const input = { ...smallExperiment, trainer: 'gone' };
    await expect(runStep(prepare, { experiment: 'trained', input }, dependencies)).rejects.toThrow(
      'trainer: no trainer is called "gone" where this worker runs; it knows local.',
    );
    expect(existsSync(join(storeRoot, 'trained'))).toBe(false);
    await dependencies.close();
  });
});

describe('preparing an experiment', () => {
  const hubTask = { task: { kind: 'gsm8k' } };
  const failure = async (
    input: object,
    dependencies: ReturnType<typeof testDependencies>,
    experiment = 'x',
  ) => {
    const given = { experiment, input: { ...smallExperiment, ...input } };
    return runStep(prepare, given, dependencies).catch((error: unknown) => error);
  };

  it.each([
    ['an endpoint that does not answer', {}, 'EngineUnreachable'],
    ['a hub that cannot be reached', hubTask, 'DatasetNotReachable'],
    ['a task file that cannot be read now', ownFile('/proc/self/mem'), 'TaskFileNotReadable'],
  ])('is tried again for %s', async (_, input, type) => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const dependencies = testDependencies({ storeRoot, engineUrl: 'http://127.0.0.1:1/v1' });
    expect(await failure(input, dependencies)).toMatchObject({ type, nonRetryable: false });
    vi.unstubAllEnvs();
    await dependencies.close();
  });

  it.each([
    [
      'a model folder that is not there',
      { model: { endpoint: 'instant', model_name_or_path: './gone' } },
      'model',
    ],
    [
      'a model that the server does not have',
      { model: { endpoint: 'instant', model_name_or_path: 'm' } },
      'model',
    ],
    ['an endpoint of no name that the worker knows', { model: { endpoint: 'nowhere' } }, 'model.endpoint'],
    ['a task file that is not there', ownFile('/gone.jsonl'), 'task'],
    [
      'an encoder at an endpoint that is not there',
      { diversity: { questions: 4, encoder: { endpoint: 'nowhere', model: 'm' } } },
      'diversity.encoder',
    ],
  ])('finds a fault of the config in %s', async (_, input, path) => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    const error = await failure(input, dependencies);
    expect(error).toMatchObject({ type: 'InvalidConfig', nonRetryable: true });
    expect((error as Error).message).toContain(`\n  ${path}: `);
    await dependencies.close();
  });

  it('finds no fault in a config that was in order once: this worker lacks something, and its name is given', async () => {
    await using engine = await startInstantEngine();
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    await runStep(prepare, { experiment: 'once', input: smallExperiment }, dependencies);
    const withoutEndpoint = {
      ...dependencies,
      endpoints: createEndpoints({}, { logFolder: storeRoot, modelFolder: async () => storeRoot }),
    };
    const error = await failure({}, withoutEndpoint, 'once');
    expect(error).toMatchObject({ type: 'EndpointUnknown', nonRetryable: false, nextRetryDelay: 3_000 });
    expect((error as Error).message).toContain(
      `The worker ${process.pid}@${hostname()}: no endpoint is called "instant"`,
    );
    await dependencies.close();
  });
});

function ownFile(train_file: string): object {
  return { task: { kind: 'jsonl', train_file } };
}
