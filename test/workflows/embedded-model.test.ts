/** The whole loop on the embedded model, and on a copy of it as a model of another family: the real engine, the real trainer, a real Temporal server. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { embeddedModel } from '../../src/config/experiment.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { leastMove } from '../../src/store/records/iteration.ts';
import { openDependencies, startWorkers } from '../../src/workers/start.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { replayHistories } from '../support/replay-histories.ts';
import { sharedBundle } from '../support/shared-bundle.ts';

describe('an experiment with the embedded model', () => {
  it('whose third agent is of another family debates, fine-tunes real adapters of both base models and answers with them, and leaves no process behind', async () => {
    const address = await temporalAddress();
    const storeRoot = temporaryFolder();
    const mistral = join(temporaryFolder(), 'tiny-mistral');
    await writeAsMistral(mistral);
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    vi.stubEnv('TEMPORAL_NAMESPACE', 'embedded');
    vi.stubEnv('COLLOQUY_STORE', storeRoot);
    vi.stubEnv('COLLOQUY_ENDPOINTS', join(storeRoot, 'endpoints.yaml'));
    // Otherwise both would be loaded in turns, which takes seconds each time.
    await writeFile(join(storeRoot, 'endpoints.yaml'), 'local: { kind: local, resident: 2 }\n');
    onTestFinished(() => void vi.unstubAllEnvs());
    const stop = new AbortController();
    let workers = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      workers = startWorkers({
        signal: stop.signal,
        dependencies: openDependencies(),
        bundle: sharedBundle,
        onReady: resolve,
      });
      workers.catch(reject);
    });
    const connection = await Connection.connect({ address });
    const client = new Client({ connection, namespace: 'embedded' });
    const result = await client.workflow.execute<typeof experiment>('experiment', {
      workflowId: 'embedded',
      taskQueue: taskQueues.control,
      args: [
        {
          preset: 'quickstart',
          iterations: 1,
          allow_few_steps: true,
          critic_mixture: 'weight',
          agents: [{}, {}, { model: mistral }],
          task: { train_size: 24, test_size: 24 },
        },
      ],
    });

    expect(result.evaluations.map(({ questions }) => questions)).toEqual([24, 24]);
    // The embedded model is right more often than not: this is its own arithmetic, not noise.
    expect(result.evaluations[0]!.single.accuracy).toBeGreaterThan(0.4);
    const [iteration] = result.iterations;
    expect(
      iteration!.datasets
        .map(({ role }) => role)
        .toSorted()
        .join(),
    ).toBe('critic,critic,critic,generation,generation,generation');
    // A critic learns from all dialogues of both kinds, or from none where one kind is missing.
    const critics = iteration!.datasets.filter(({ role }) => role === 'critic');
    const available = critics.map(({ parts: { corrected, kept } }) => [
      corrected!.available,
      kept!.available,
    ]);
    expect(critics.map(({ rows }) => rows)).toEqual(
      available.map(([corrected, kept]) => (corrected! > 0 && kept! > 0 ? corrected! + kept! : 0)),
    );
    const weighted = critics.filter(({ rows }) => rows > 0).length;
    for (const { agents, rows: expected } of iteration!.datasets.filter(({ role }) => role !== 'critic')) {
      const folder = join(storeRoot, 'embedded', 'iteration-1', 'datasets');
      const rows = (await readFile(join(folder, `agent-${agents[0]}-generation.jsonl`), 'utf8'))
        .trim()
        .split('\n');
      expect(rows).toHaveLength(expected);
      expect(JSON.parse(rows[0]!).completion).toEqual([
        { role: 'assistant', content: expect.stringContaining('\\boxed{') },
      ]);
    }
    const trained = iteration!.fineTunes.filter(({ model }) => model !== null);
    expect(trained).toHaveLength(3 + weighted);
    for (const { steps, peakLearningRate, moved, droppedRows } of trained) {
      expect(steps).toBeGreaterThan(0);
      expect(peakLearningRate).toBeGreaterThan(0);
      expect(moved!.klPerToken).toBeGreaterThan(leastMove);
      expect(droppedRows).toBe(0);
    }
    const ofModel = (key: string, ...path: string[]) =>
      readFile(join(storeRoot, 'models', key, ...path), 'utf8');
    for (const { agent, model } of trained) {
      const adapter = JSON.parse(await ofModel(model!, 'adapter_config.json')) as object;
      expect(adapter).toMatchObject({
        base_model_name_or_path: agent === 3 ? mistral : join(projectRoot, embeddedModel),
      });
    }
    expect(result.versions).toHaveProperty('torch');

    expect(await pythonProcesses()).not.toEqual([]);
    stop.abort();
    await workers;
    expect(await pythonProcesses()).toEqual([]);

    expect(await replayHistories(client)).toHaveLength(2);
    await connection.close();
  }, 300_000);
});

/** The embedded model with the same abilities, as a model of another family and with another hash of its weights. */
async function writeAsMistral(folder: string): Promise<void> {
  await cp(join(projectRoot, embeddedModel), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
  const family = { model_type: 'mistral', architectures: ['MistralForCausalLM'], sliding_window: null };
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, ...family }));
  const weights = await readFile(join(folder, 'model.safetensors'));
  const head = 8 + Number(weights.readBigUInt64LE());
  const tensors = JSON.parse(weights.toString('utf8', 8, head)) as object;
  const header = JSON.stringify({ ...tensors, __metadata__: { format: 'pt', family: 'mistral' } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  await writeFile(join(folder, 'model.safetensors'), [length, header, weights.subarray(head)]);
}

/** The engines and trainers that workers of this process have started. */
async function pythonProcesses(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    if (!/engine\/(serve|train)\.py/.test(command)) continue;
    const status = await readFile(join('/proc', pid, 'status'), 'utf8').catch(() => '');
    if (new RegExp(`^PPid:\\s*${process.pid}$`, 'm').test(status)) found.push(pid);
  }
  return found;
}
