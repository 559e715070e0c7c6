import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { startWorkers } from '../../src/workers/start.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { type Phase, progressQuery } from '../../src/workflows/progress.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { type InstantEngine, startInstantEngine } from './instant-engine.ts';
import { sharedBundle } from './shared-bundle.ts';
import { smallExperiment } from './small-experiment.ts';
import { replayHistories, type Replayed, type Run } from './replay-histories.ts';
import { testDependencies } from './test-dependencies.ts';
import { until } from './until.ts';

export type Handle = WorkflowHandleWithFirstExecutionRunId<typeof experiment>;

/** What an iteration does before its evaluation. */
export const beforeEvaluation: readonly Phase[] = ['debating', 'building datasets', 'fine-tuning'];

/** Waits for one of the phases: a short one may pass between two looks. */
export async function reached(handle: Handle, phases: readonly Phase[], timeoutMs?: number): Promise<void> {
  await until(
    `it is ${phases.join(' or ')}`,
    async () => phases.includes((await handle.query(progressQuery)).phase),
    timeoutMs,
  );
}

/**
 * A store, an instant engine, a client of a real Temporal server and, on demand, workers in this process. At its end every history
 * that was made in the namespace is replayed, and a test file with one that cannot be fails.
 */
export type WorkflowRig = AsyncDisposable & {
  readonly storeRoot: string;
  readonly engine: InstantEngine;
  readonly client: Client;
  /** Starts an experiment, small unless `input` says otherwise. */
  readonly start: (name: string, input?: unknown) => Promise<Handle>;
  /** Ends the workers and replays every history of the namespace. Fails when one cannot be replayed. */
  readonly replayAll: () => Promise<readonly Replayed[]>;
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
  const started: Run[] = [];
  const client = new Client({
    connection,
    namespace,
    interceptors: {
      workflow: [
        {
          startWithDetails: async (input, next) => {
            const start = await next(input);
            started.push({ workflowId: input.options.workflowId, runId: start.runId });
            return start;
          },
        },
      ],
    },
  });
  const stop = new AbortController();
  const dependencies = testDependencies({ storeRoot, engineUrl: engine.url, ...options });
  let workers: Promise<void> = Promise.resolve();
  if (options.worker !== false) {
    await new Promise<void>((resolve, reject) => {
      workers = startWorkers({ signal: stop.signal, dependencies, bundle: sharedBundle, onReady: resolve });
      workers.catch(reject);
    });
  }
  let replayed: Promise<readonly Replayed[]> | undefined;
  const replayAll = (): Promise<readonly Replayed[]> => {
    stop.abort();
    replayed ??= workers.then(() => replayHistories(client, { started }));
    return replayed;
  };
  return {
    storeRoot,
    engine,
    client,
    start: async (name, input = {}) => {
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
    replayAll,
    [Symbol.asyncDispose]: async () => {
      try {
        await replayAll();
      } finally {
        await connection.close();
        await engine[Symbol.asyncDispose]();
        await rm(storeRoot, { recursive: true, force: true });
      }
    },
  };
}
