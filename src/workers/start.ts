import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Dependencies } from '../activities/activity.ts';
import { controlActivities, debateActivities, gpuActivities } from '../activities/index.ts';
import { codeHash } from '../config/installation.ts';
import { loadTrainers, type TrainerConfig, trainerAbilities } from '../config/trainers.ts';
import { configuredEndpoints, type Endpoints } from '../engines/endpoint/open.ts';
import { createGpuGate } from '../engines/gpu-gate.ts';
import { DevicesUnusable, gpus } from '../engines/vllm/device.ts';
import { createTrainers, type TrainerDeps } from '../engines/trainer/open.ts';
import { emit } from '../observe/events.ts';
import { InvalidEnvironment, installRuntime, stepInterceptor } from '../observe/install-runtime.ts';
import type { Console, Traces } from '../observe/log-metrics-traces.ts';
import { followExperiments } from '../observe/trackers/live.ts';
import { createTasks } from '../questions/open-task.ts';
import { openStore, type Store, storeIdentity } from '../store/store.ts';
import { type TaskQueue, taskQueues } from '../workflows/temporal.ts';
import { bundleWorkflows, tracedBundle } from './bundle.ts';
import { requireNamespace, setsSearchAttributes, watchNamespace } from './namespace.ts';

/** Shards that a worker takes at once: enough to keep an engine busy while the last questions of a shard finish. */
const shardsAtOnce = 8;

/**
 * Serves the task queues (all by default) until `signal` is aborted. Then steps in flight save what they have, engines and trainers
 * are ended with all their processes, and the promise resolves.
 *
 * @throws NamespaceMissing; another error when Temporal cannot be reached, or refuses the worker for good
 */
export async function startWorkers({
  queues = Object.values(taskQueues),
  signal,
  onReady,
  dependencies = openDependencies(),
  bundle = bundleWorkflows,
  console,
}: {
  readonly queues?: readonly TaskQueue[];
  readonly signal: AbortSignal;
  /** Called when all queues are served. */
  readonly onReady?: () => void;
  /** By default the real ones. The worker closes them when it ends. */
  readonly dependencies?: OpenDependencies;
  /** Makes the workflows' code where no traces are collected; by default from the sources. */
  readonly bundle?: () => Promise<{ readonly code: string }>;
  /** A second place for the log, beside its file. */
  readonly console?: Console;
}): Promise<void> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const version = deploymentVersion();
  keepHeapSteady();
  const telemetry = await installRuntime(join(dependencies.store.logs, 'worker.log'), console);
  await dependencies.store.check();
  // From now on other workers can see whether they have the same store.
  await storeIdentity(dependencies.store);
  const connection = await NativeConnection.connect(connectionOptions);
  const { log, traces } = telemetry;
  const following = followExperiments(dependencies.store, log);
  try {
    await requireNamespace(connection, namespace);
    const searchAttributes = await setsSearchAttributes(telemetry, connection, namespace);
    // Before any worker is made: a worker that was made and not run would keep the connection open, and hide why another one failed.
    const parts = await Promise.all(
      queues.map(async (taskQueue) =>
        served[taskQueue]({ ...dependencies, searchAttributes }, bundle, traces),
      ),
    );
    const workers = await Promise.all(
      queues.map(async (taskQueue, index) =>
        Worker.create({
          connection,
          namespace,
          taskQueue,
          ...(version === undefined ? {} : { workerDeploymentOptions: pinned(version) }),
          ...parts[index],
          // Progress bars read heartbeats. By default one would be sent in 16 seconds, four fifths of their timeout.
          maxHeartbeatThrottleInterval: '2s',
          // Longer than it takes to stop a trainer and write its checkpoint.
          shutdownForceTime: '2m',
          interceptors: { activity: [...(traces?.activity ?? []), stepInterceptor] },
        }),
      ),
    );
    log.info(
      { queues, namespace, version, code: codeHash(), address: connectionOptions.address },
      'worker began',
    );
    signal.addEventListener('abort', () => log.info('worker stops: what is in flight is being saved'));
    const refused = new AbortController();
    const endWatch = watchNamespace(connection, namespace, (error) => refused.abort(error));
    await runUntil(AbortSignal.any([signal, refused.signal]), workers, onReady).finally(endWatch);
    refused.signal.throwIfAborted();
  } finally {
    await following.close();
    await dependencies.close();
    await connection.close();
    await traces?.close();
    log.info('worker ended');
  }
}

const served: Record<
  TaskQueue,
  (
    dependencies: OpenDependencies,
    bundle: () => Promise<{ readonly code: string }>,
    traces?: Traces,
  ) => Served | Promise<Served>
> = {
  [taskQueues.control]: async (dependencies, bundle, traces) => ({
    ...(traces === undefined
      ? { workflowBundle: await bundle() }
      : { workflowBundle: await tracedBundle(), sinks: traces.sinks }),
    activities: controlActivities(dependencies),
    maxCachedWorkflows: 50,
  }),
  [taskQueues.debate]: (dependencies) => ({
    activities: debateActivities(dependencies),
    maxConcurrentActivityTaskExecutions: shardsAtOnce,
  }),
  // All others wait in the queue, where another worker may take them.
  [taskQueues.gpu]: async (dependencies) => ({
    activities: gpuActivities(dependencies),
    maxConcurrentActivityTaskExecutions: await dependencies.fineTunesAtOnce(),
  }),
};

type Served = Partial<WorkerOptions>;

/** A run stays with the version that began it. The run of the next iteration goes to the version that is current then. */
function pinned(version: DeploymentVersion): NonNullable<WorkerOptions['workerDeploymentOptions']> {
  return { useWorkerVersioning: true, version, defaultVersioningBehavior: 'PINNED' };
}

/** When one worker fails, the others are shut down and its error is thrown. */
async function runUntil(
  signal: AbortSignal,
  workers: readonly Worker[],
  onReady?: () => void,
): Promise<void> {
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', shutdown, { once: true });
  const ends = workers.map((worker) => worker.run().finally(shutdown));
  if (signal.aborted) shutdown();
  else onReady?.();
  const ended = await Promise.allSettled(ends);
  signal.removeEventListener('abort', shutdown);
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}

/** Which version of the code a worker serves, by Temporal's Worker Versioning. */
export type DeploymentVersion = { readonly deploymentName: string; readonly buildId: string };

/**
 * The version that COLLOQUY_DEPLOYMENT and COLLOQUY_BUILD_ID name. Without them it is undefined: nothing is versioned, and nothing has to
 * be registered.
 *
 * @throws InvalidEnvironment when one of the two is missing, or has a dot in the deployment's name
 */
export function deploymentVersion(
  environment: NodeJS.ProcessEnv = process.env,
): DeploymentVersion | undefined {
  const deploymentName = environment['COLLOQUY_DEPLOYMENT'] ?? '';
  const buildId = environment['COLLOQUY_BUILD_ID'] ?? '';
  if (deploymentName === '' && buildId === '') return undefined;
  if (deploymentName === '' || deploymentName.includes('.'))
    throw new InvalidEnvironment('COLLOQUY_DEPLOYMENT', deploymentName, 'a name without dots, e.g. colloquy');
  if (buildId === '')
    throw new InvalidEnvironment('COLLOQUY_BUILD_ID', buildId, 'the id of this build, e.g. a git commit');
  return { deploymentName, buildId };
}

/**
 * Keeps the memory of this process near what it uses. By default V8 lets garbage grow to several times the live heap before it collects
 * it, so that a worker's memory grows with the time it has been busy (docs/benchmarks.md). After this call there is at most as much
 * garbage as live heap. Less garbage would cost more time.
 */
export function keepHeapSteady(): void {
  setFlagsFromString('--heap-growing-percent=100');
}

/** How many a worker takes: one on a graphics card. Without one, small models train side by side, one on each core. */
async function fineTunesOnThisMachine(): Promise<number> {
  const hasCards = await gpus().then(
    (cards) => cards.length > 0,
    (error: unknown) => {
      // It has cards, and the first job finds out what is wrong with them.
      if (error instanceof DevicesUnusable) return true;
      throw error;
    },
  );
  // The trainer begins as many as there are cores. Twice as many wait in it, so that the longest of them is next, and begins at once.
  return hasCards ? 1 : 3 * availableParallelism();
}

export type OpenDependencies = Dependencies & {
  /** How many fine-tunes this worker takes. */
  readonly fineTunesAtOnce: () => Promise<number>;
  /** Ends engines, trainers and grader with all their processes. */
  readonly close: () => Promise<void>;
};

/**
 * A worker's dependencies: by default the real ones. No process is started before it is needed.
 *
 * @param trainerConfigs the worker's trainers by name, as `loadTrainers` gives them
 * @param trainerProcess settings of a trainer's process; only tests give them
 */
export function openDependencies({
  store = openStore(),
  endpoints = configuredEndpoints(store, true),
  trainerConfigs = loadTrainers(),
  trainerProcess = {},
}: {
  readonly store?: Store;
  readonly endpoints?: Endpoints;
  readonly trainerConfigs?: Readonly<Record<string, TrainerConfig>>;
  readonly trainerProcess?: NonNullable<TrainerDeps['process']>;
} = {}): OpenDependencies {
  const tasks = createTasks();
  const gate = createGpuGate((wait) => emit('gate passed', wait), endpoints);
  const trainers = createTrainers(trainerConfigs, { store, gate, process: trainerProcess });
  const abilities = Object.entries(trainerConfigs).map(([name, config]) => trainerAbilities(name, config));
  const atOnce = Math.max(0, ...abilities.map(({ jobsAtOnce = 0 }) => jobsAtOnce));
  return {
    store,
    endpoints,
    trainers,
    fineTunesAtOnce: atOnce > 0 ? async () => atOnce : fineTunesOnThisMachine,
    tasks,
    searchAttributes: false,
    gate,
    close: async () => {
      await Promise.allSettled([endpoints.close(), trainers.close(), tasks.close()]);
    },
  };
}
