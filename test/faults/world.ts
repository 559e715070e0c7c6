/** All that an experiment needs, in real processes that can be killed: a Temporal server, an engine, workers, a store. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { taskQueues } from '../../src/workflows/temporal.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { type InstantEngine, startInstantEngine } from '../support/instant-engine.ts';
import { until } from '../support/until.ts';
import type { TestDependencies } from '../support/test-dependencies.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';
import { processesOf } from './processes.ts';
import type { TestServer } from './test-server.ts';

export type Handle = WorkflowHandleWithFirstExecutionRunId<typeof experiment>;

export type World = AsyncDisposable & {
  readonly storeRoot: string;
  readonly server: TestServer;
  /** What a process needs to reach this world's server and namespace. */
  readonly environment: Record<string, string>;
  readonly engine: InstantEngine;
  readonly client: Client;
  readonly start: (name: string, input?: object) => Promise<Handle>;
  /** @param changes how its surroundings differ from those of the other workers */
  readonly startWorker: (changes?: Partial<TestDependencies>) => Promise<WorkerProcess>;
  /** The newest worker. */
  readonly worker: () => WorkerProcess;
  /** Waits until no process is left that a worker of this world started, other than the workers that live. */
  readonly untilNothingIsLeft: (living?: readonly number[]) => Promise<void>;
  /** Has the trainer wait when it comes to that point of a model; 0 is the next that it finishes. */
  readonly holdTrainer: (model: number, at: 'begin' | 'checkpoint' | 'manifest') => Promise<void>;
  readonly trainerIsHeld: () => Promise<boolean>;
  readonly releaseTrainer: () => Promise<void>;
  readonly spoilTrainer: (kind: string, times?: number) => Promise<void>;
  /** One line an answer that the engine gave, or was about to. */
  readonly answers: () => Promise<string[]>;
  /** One line a fine-tune that the trainer finished. */
  readonly fineTunes: () => Promise<string[]>;
};

/** 6 shards of training questions, 6 held-out ones, 6 fine-tunes. */
export const input = {
  preset: 'quickstart',
  seed: 5,
  iterations: 1,
  shard_size: 8,
  allow_few_steps: true,
  task: { train_size: 48, test_size: 48 },
  model: { endpoint: 'instant', model_name_or_path: 'instant' },
};
/** Answers to one phase of debates of `input`. */
export const answersAPhase = 48 * 3 * 2;

/** @param storeRoot by default a new folder on the local disk */
export async function openWorld(server: TestServer, storeRoot = scratchFolder()): Promise<World> {
  const id = randomUUID().slice(0, 8);
  const namespace = `faults-${id}`;
  const folder = scratchFolder();
  const [asked, learnt, control] = ['asked.log', 'learnt.log', 'control'].map((name) => join(folder, name));
  await mkdir(control!);
  const engine = await startInstantEngine(['--log', asked!]);
  const connection = await Connection.connect({ address: server.address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const client = new Client({ connection, namespace });
  const environment = {
    TEMPORAL_ADDRESS: server.address,
    TEMPORAL_NAMESPACE: namespace,
    COLLOQUY_STORE: storeRoot,
    COLLOQUY_TEST_WORLD: id,
  };
  const workers: WorkerProcess[] = [];
  const lines = async (path: string) =>
    (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const held = join(control!, 'held');
  const world: World = {
    storeRoot,
    server,
    environment,
    engine,
    client,
    start: (name, changes = {}) =>
      client.workflow.start<typeof experiment>('experiment', {
        workflowId: name,
        taskQueue: taskQueues.control,
        args: [{ ...input, ...changes }],
      }),
    startWorker: async (changes = {}) => {
      const worker = await startWorkerProcess(environment, {
        storeRoot,
        engineUrl: engine.url,
        trainerArgs: ['--log', learnt!, '--control', control!],
        ...changes,
      });
      workers.push(worker);
      return worker;
    },
    worker: () => workers.at(-1)!,
    untilNothingIsLeft: (living = []) =>
      until(
        'nothing that a worker started outlives it',
        async () => {
          const left = await processesOf(id);
          return left.every(({ pid, ancestors }) =>
            [pid, ...ancestors].some((each) => living.includes(each)),
          );
        },
        10_000,
      ).then(() => undefined),
    holdTrainer: async (model, at) => {
      const finished = (await world.fineTunes()).length;
      await writeFile(join(control!, 'hold'), JSON.stringify({ model: finished + model, at }));
    },
    trainerIsHeld: async () => (await readFile(held).catch(() => null)) !== null,
    releaseTrainer: async () => {
      await rm(join(control!, 'hold'), { force: true });
      await rm(held, { force: true });
    },
    spoilTrainer: (kind, times = 1) => writeFile(join(control!, 'fault'), JSON.stringify({ kind, times })),
    answers: () => lines(asked!),
    fineTunes: async () => (await lines(learnt!)).filter((line) => line.startsWith('end')),
    [Symbol.asyncDispose]: async () => {
      for (const { pid } of await processesOf(id)) kill(pid);
      await connection.close();
      await engine[Symbol.asyncDispose]();
      await until('all its processes are gone', async () => (await processesOf(id)).length === 0);
      await rm(storeRoot, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just gone.
  }
}
