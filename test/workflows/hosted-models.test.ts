/** The whole loop with models that a server trains and keeps: a real Temporal server, and a server of OpenAI's protocols that really trains the embedded model. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { experimentFromConfig } from '../../src/cli/arguments.ts';
import { checkExperiment } from '../../src/cli/experiment/check.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import { exportMerged, exportModels } from '../../src/export/models.ts';
import { finishedIteration } from '../../src/export/finished-iteration.ts';
import { openDebaters } from '../../src/serve/debaters.ts';
import { openStore } from '../../src/store/store.ts';
import { openDependencies, startWorkers } from '../../src/workers/start.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { embeddedModel } from '../engines/fixtures/adapter.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { startFineTuningServer } from '../support/fine-tuning-server.ts';
import { baseNamed } from '../support/models.ts';
import { replayHistories } from '../support/replay-histories.ts';
import { sharedBundle } from '../support/shared-bundle.ts';
import { warmPython } from '../support/warm-python.ts';

const input = {
  preset: 'quickstart',
  iterations: 1,
  agents: 2,
  min_votes: 1,
  critic_mixture: 'sample',
  critic_weight: 0.5,
  init_from: 'base',
  keep: 'last',
  allow_few_steps: true,
  trainer: 'api',
  model: { endpoint: 'api', model_name_or_path: 'tiny' },
  task: { train_size: 48, test_size: 48 },
  diversity: { questions: 2 },
};
const trainable = {
  ...input,
  fine_tune: {
    num_train_epochs: 3,
    per_device_train_batch_size: 16,
    gradient_accumulation_steps: 1,
    learning_rate: 2e-4,
    warmup_ratio: 0.03,
    lora_r: 16,
    lora_alpha: 32,
  },
};

describe('an experiment whose models a server trains', { timeout: 480_000 }, () => {
  it('gets better, survives lost answers, states what it costs, and has models by name', async () => {
    const ofServer = openStore(temporaryFolder());
    const base = baseNamed(embeddedModel, 'local');
    const python = await warmPython();
    const program = (name: string) => ({ command: [...python, join(projectRoot, 'engine', name)] as const });
    await using server = await startFineTuningServer({
      name: 'tiny',
      base,
      store: ofServer,
      trainer: openTrainer(
        { kind: 'process' },
        { store: ofServer, gate: createGpuGate(), process: program('train.py') },
      ),
      endpoint: openEndpoint({ kind: 'local' }, embeddedModel, {
        logFolder: ofServer.logs,
        modelFolder: (key) => ofServer.blobs.localCopy(ofServer.model(key).name),
        engine: program('serve.py'),
      }),
      settings: { learning_rate: 8e-4, warmup_ratio: 0.1, lora_r: 8, lora_alpha: 16 },
    });
    const address = await temporalAddress();
    const storeRoot = temporaryFolder();
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    vi.stubEnv('TEMPORAL_NAMESPACE', 'hosted');
    vi.stubEnv('COLLOQUY_STORE', storeRoot);
    vi.stubEnv('COLLOQUY_ENDPOINTS', join(storeRoot, 'endpoints.yaml'));
    vi.stubEnv('COLLOQUY_TRAINERS', join(storeRoot, 'trainers.yaml'));
    vi.stubEnv('PAID_API_KEY', 'sk-secret-of-this-test');
    onTestFinished(() => void vi.unstubAllEnvs());
    const at = `url: '${server.url}', api_key_env: PAID_API_KEY`;
    await writeFile(join(storeRoot, 'endpoints.yaml'), `api: { kind: openai, ${at}, max_concurrency: 64 }\n`);
    const trainer = `kind: openai, ${at}, price_per_million_tokens: 25`;
    await writeFile(join(storeRoot, 'trainers.yaml'), `api: { ${trainer} }\n`);

    // The engine behind the server takes its time to start.
    const hello = { model: 'tiny', messages: [{ role: 'user', content: '1+1' }], max_tokens: 1, seed: 0 };
    const body = JSON.stringify({ ...hello, temperature: 1, top_p: 1 });
    expect((await fetch(`${server.url}/chat/completions`, { method: 'POST', body })).status).toBe(200);

    // Before anything is asked, `colloquy validate` names what the server cannot do, and what it costs.
    const configFile = join(storeRoot, 'hosted.json');
    await writeFile(configFile, JSON.stringify(input));
    const store = openStore();
    await expect(checkExperiment(experimentFromConfig(configFile, []).config, store)).rejects.toThrow(
      /fine_tune\.learning_rate: 0\.0008 was given.*learning_rate_multiplier[\s\S]*fine_tune\.lora_r: 8 was given/,
    );
    await writeFile(configFile, JSON.stringify(trainable));
    const { estimate } = await checkExperiment(experimentFromConfig(configFile, []).config, store);
    expect(estimate.cost).toEqual({
      trainer: 'api',
      pricePerMillionTokens: 25,
      cost: (estimate.trainedTokens / 1e6) * 25,
    });

    const stop = new AbortController();
    let workers = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      const dependencies = openDependencies();
      workers = startWorkers({ signal: stop.signal, dependencies, bundle: sharedBundle, onReady: resolve });
      workers.catch(reject);
    });
    const connection = await Connection.connect({ address });
    const client = new Client({ connection, namespace: 'hosted' });
    server.faults.lostUploads = 1;
    server.faults.lostJobs = 1;
    const handle = await client.workflow.start<typeof experiment>('experiment', {
      workflowId: 'hosted',
      taskQueue: taskQueues.control,
      args: [trainable],
    });
    const result = await handle.result();

    const [before, after] = result.evaluations;
    expect(after!.debate.accuracy).toBeGreaterThan(before!.debate.accuracy);
    // A generation and a critic model of each of two agents, and no job twice.
    expect(server.jobs.map(({ status }) => status)).toEqual(Array(4).fill('succeeded'));
    expect(server.files.size).toBe(0);
    const fineTunes = result.iterations[0]!.fineTunes;
    expect(fineTunes.every(({ moved, finalLoss }) => moved === null && finalLoss !== null)).toBe(true);
    // What needs likelihoods is left out, which the report states.
    const report = await readFile(join(storeRoot, 'hosted', 'report.html'), 'utf8');
    expect(report).toContain('not measured');

    const done = await finishedIteration(store, 'hosted', 1);
    const exported = join(temporaryFolder(), 'models');
    await exportModels(store, done, exported);
    const card = await readFile(join(exported, 'agent-1-generation', 'README.md'), 'utf8');
    expect(card).toContain(server.jobs[0]!.fine_tuned_model!.slice(0, 12));
    await expect(exportMerged(store, done, { agent: 1 }, join(exported, 'merged'))).rejects.toMatchObject({
      name: 'WeightsAtServer',
    });
    const debaters = await openDebaters(store, { experiment: 'hosted', iteration: 1 });
    const { consensus } = await debaters.debate('3+4*5-6', { signal: AbortSignal.timeout(60_000) });
    expect(consensus).not.toBeUndefined();
    await debaters.close();

    stop.abort();
    await workers;
    await replayHistories(client, { started: [{ workflowId: 'hosted', runId: handle.firstExecutionRunId }] });
    await connection.close();
  });
});
