import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { startWorkers } from '../../src/workers/start-workers.ts';
import { taskQueues } from '../../src/workers/task-queues.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { type InstantEngine, startInstantEngine } from './instant-engine.ts';
import { largestPayload } from './largest-payload.ts';
import { testDependencies } from './test-dependencies.ts';

export type Handle = WorkflowHandleWithFirstExecutionRunId<typeof experiment>;

export type Replayed = { readonly name: string; readonly events: number; readonly largestPayload: number };

/** A store, an instant engine, a client of a real Temporal server and, on demand, workers in this process. */
export type WorkflowRig = AsyncDisposable & {
  readonly storeRoot: string;
  readonly engine: InstantEngine;
  readonly client: Client;
  /** Starts an experiment, small unless `input` says otherwise. */
  readonly start: (name: string, input?: unknown) => Promise<Handle>;
  /** Replays the history of every experiment that was started, its newest run. Fails when one cannot be replayed. */
  readonly replayAll: () => Promise<Replayed[]>;
};

export async function workflowRig(
  namespace: string,
  options: { trainerArgs?: string[]; worker?: boolean } = {},
): Promise<WorkflowRig> {
  const address = await temporalAddress();
  process.env['TEMPORAL_ADDRESS'] = address;
  process.env['TEMPORAL_NAMESPACE'] = namespace;
  const storeRoot = temporaryFolder();
  const engine = await startInstantEngine(['--log', join(storeRoot, 'asked.log')]);
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace });
  const stop = new AbortController();
  const dependencies = testDependencies({ storeRoot, engineUrl: engine.url, ...options });
  let workers: Promise<void> = Promise.resolve();
  if (options.worker !== false) {
    await new Promise<void>((resolve, reject) => {
      workers = startWorkers({ signal: stop.signal, dependencies, onReady: resolve });
      workers.catch(reject);
    });
  }
  const started = new Set<string>();
  return {
    storeRoot,
    engine,
    client,
    start: async (name, input = {}) => {
      started.add(name);
      const args: [unknown] = [
        typeof input === 'object' && input !== null && !Array.isArray(input)
          ? { ...smallExperiment, ...input }
          : input,
      ];
      return client.workflow.start<typeof experiment>('experiment', {
        workflowId: name,
        taskQueue: taskQueues.control,
        args,
      });
    },
    replayAll: async () => {
      const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
      const histories = await Promise.all(
        [...started].map(async (workflowId) => ({
          workflowId,
          history: await client.workflow.getHandle(workflowId).fetchHistory(),
        })),
      );
      for await (const { error, workflowId } of Worker.runReplayHistories({ workflowsPath }, histories)) {
        if (error) throw new Error(`${workflowId} does not replay`, { cause: error });
      }
      return histories.map(({ workflowId, history }) => ({
        name: workflowId,
        events: history.events?.length ?? 0,
        largestPayload: largestPayload(history),
      }));
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await workers;
      await connection.close();
      await engine[Symbol.asyncDispose]();
      await rm(storeRoot, { recursive: true, force: true });
    },
  };
}

/** Two shards of training questions and two held-out ones; one iteration. */
export const smallExperiment = {
  preset: 'quickstart',
  iterations: 1,
  shard_size: 8,
  task: { train_size: 16, test_size: 16 },
  model: { endpoint: 'instant', model_name_or_path: 'instant' },
};
