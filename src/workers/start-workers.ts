import { join } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { controlActivities, debateActivities, gpuActivities } from '../activities/index.ts';
import { installRuntime } from '../telemetry/install-runtime.ts';
import type { Traces } from '../telemetry/open-traces.ts';
import { setsSearchAttributes } from '../telemetry/sets-search-attributes.ts';
import { tracedBundle } from '../telemetry/traced-bundle.ts';
import { stepInterceptor } from '../telemetry/step-interceptor.ts';
import type { Console } from '../telemetry/worker-log.ts';
import { type DeploymentVersion, deploymentVersion } from './deployment-version.ts';
import { openDependencies, type OpenDependencies } from './open-dependencies.ts';
import { keepHeapSteady } from './steady-heap.ts';
import { type TaskQueue, taskQueues } from './task-queues.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** Shards that a worker takes at once: enough to keep an engine busy while the last questions of one shard finish. */
const shardsAtOnce = 8;

/**
 * Serves the task queues (all by default) until `signal` is aborted: then steps in flight save what they have, engines and the
 * trainer are ended with all their processes, and the promise resolves.
 *
 * @throws when Temporal cannot be reached
 */
export async function startWorkers({
  queues = Object.values(taskQueues),
  signal,
  onReady,
  dependencies = openDependencies(),
  console,
}: {
  readonly queues?: readonly TaskQueue[];
  readonly signal: AbortSignal;
  /** Called when all queues are served. */
  readonly onReady?: () => void;
  /** The real ones unless told; a worker closes them when it ends. */
  readonly dependencies?: OpenDependencies;
  /** Where the log goes besides its file. */
  readonly console?: Console;
}): Promise<void> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const version = deploymentVersion();
  keepHeapSteady();
  const telemetry = await installRuntime(join(dependencies.store.logs, 'worker.log'), console);
  const connection = await NativeConnection.connect(connectionOptions);
  const { log, traces } = telemetry;
  try {
    const searchAttributes = await setsSearchAttributes(telemetry, connection, namespace);
    const workers = await Promise.all(
      queues.map(async (taskQueue) =>
        Worker.create({
          connection,
          namespace,
          taskQueue,
          ...(version === undefined ? {} : { workerDeploymentOptions: pinned(version) }),
          ...(await served[taskQueue]({ ...dependencies, searchAttributes }, traces)),
          // Progress bars read heartbeats; the default would send one in 24 seconds.
          maxHeartbeatThrottleInterval: '2s',
          // Longer than a trainer's checkpoint and a heartbeat that tells it to stop.
          shutdownForceTime: '2m',
          interceptors: { activity: [...(traces?.activity ?? []), stepInterceptor] },
        }),
      ),
    );
    log.info({ queues, namespace, version, address: connectionOptions.address }, 'worker began');
    signal.addEventListener('abort', () => log.info('worker stops: what is in flight is being saved'));
    await runUntil(signal, workers, onReady);
  } finally {
    await dependencies.close();
    await connection.close();
    await traces?.close();
    log.info('worker ended');
  }
}

const served: Record<
  TaskQueue,
  (dependencies: OpenDependencies, traces?: Traces) => Served | Promise<Served>
> = {
  [taskQueues.control]: async (dependencies, traces) => ({
    ...(traces === undefined
      ? { workflowBundle: await workflowBundle() }
      : { workflowBundle: await tracedBundle(), sinks: traces.sinks }),
    activities: controlActivities(dependencies),
    maxCachedWorkflows: 50,
  }),
  [taskQueues.debate]: (dependencies) => ({
    activities: debateActivities(dependencies),
    maxConcurrentActivityTaskExecutions: shardsAtOnce,
  }),
  // One GPU, one fine-tune: whatever else is scheduled waits in the queue.
  [taskQueues.gpu]: (dependencies) => ({
    activities: gpuActivities(dependencies),
    maxConcurrentActivityTaskExecutions: 1,
  }),
};

type Served = Partial<WorkerOptions>;

/** A run stays with the version that began it; the next iteration's goes to the version that is current by then. */
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
