/** The whole loop on the embedded model: the real engine, the real trainer, a real Temporal server. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { leastMove } from '../../src/algorithm/training-steps.ts';
import { openDependencies, startWorkers } from '../../src/workers/start.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { taskQueues } from '../../src/workflows/server-names.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { replayHistories } from '../support/replay-histories.ts';
import { sharedBundle } from '../support/shared-bundle.ts';

describe('an experiment with the embedded model', () => {
  it('debates, fine-tunes real adapters and answers with them, and leaves no process behind', async () => {
    const address = await temporalAddress();
    const storeRoot = temporaryFolder();
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    vi.stubEnv('TEMPORAL_NAMESPACE', 'embedded');
    vi.stubEnv('COLLOQUY_STORE', storeRoot);
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
    expect(await readdir(join(storeRoot, 'models', trained[0]!.model!))).toContain(
      'adapter_model.safetensors',
    );
    expect(result.versions).toHaveProperty('torch');

    expect(await pythonProcesses()).not.toEqual([]);
    stop.abort();
    await workers;
    expect(await pythonProcesses()).toEqual([]);

    expect(await replayHistories(client)).toHaveLength(2);
    await connection.close();
  }, 300_000);
});

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
