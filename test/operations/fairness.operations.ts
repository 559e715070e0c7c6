import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { activityInfo } from '@temporalio/activity';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debateActivities } from '../../src/activities/index.ts';
import { sharing, type Share } from '../../src/cli/server/workflow.ts';
import { tools } from '../../src/config/installation.ts';
import { installRuntime } from '../../src/observe/install-runtime.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { type InstantEngine, startInstantEngine } from '../support/instant-engine.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';

/** Fairness is off by default. With one partition the order is exact; with the default of four it holds in each of them. */
const fairness = [
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

/** Shards of the base model's evaluation: all of them are in the queue before the only slot is there. */
const shards = 24;

describe('two experiments that share one slot of a worker', () => {
  let server: TestWorkflowEnvironment;
  let engine: InstantEngine;
  const storeRoot = temporaryFolder();
  const stop = new AbortController();
  let control: Promise<void>;
  beforeAll(async () => {
    // The first use of the SDK's runtime settles how it logs.
    await installRuntime(join(storeRoot, 'logs', 'worker.log'));
    server = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: tools().temporal },
        log: { format: 'pretty', level: 'never' },
        extraArgs: fairness.flatMap((each) => ['--dynamic-config-value', each]),
      },
    });
    process.env['TEMPORAL_ADDRESS'] = server.address;
    engine = await startInstantEngine();
    await new Promise<void>((resolve, reject) => {
      control = startWorkers({
        queues: [taskQueues.control],
        signal: stop.signal,
        dependencies: testDependencies({ storeRoot, engineUrl: engine.url }),
        onReady: resolve,
      });
      control.catch(reject);
    });
  });
  afterAll(async () => {
    stop.abort();
    await control;
    await engine[Symbol.asyncDispose]();
    await server.teardown();
    await rm(storeRoot, { recursive: true, force: true });
  });

  const input = {
    ...smallExperiment,
    method: 'debate',
    iterations: 0,
    shard_size: 1,
    equal_tokens: false,
    diversity: { questions: 0 },
    task: { train_size: 1, test_size: shards },
  };
  const start = (name: string, share: Share) =>
    server.client.workflow.start('experiment', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [input],
      ...sharing(name, share),
    });

  /** Has one experiment wait with all its shards, then the other, then adds one slot. Returns whose shard it took, in order. */
  async function order(first: string, ofFirst: Share, second: string, ofSecond: Share): Promise<string> {
    const handles = [];
    for (const [name, share] of [
      [first, ofFirst],
      [second, ofSecond],
    ] as const) {
      const handle = await start(name, share);
      await until(
        'all its shards wait',
        async () => (await handle.describe()).raw.pendingActivities?.length === shards,
      );
      handles.push(handle);
    }
    const taken: string[] = [];
    const dependencies = testDependencies({ storeRoot, engineUrl: engine.url });
    const { debate, ...others } = debateActivities({ ...dependencies, searchAttributes: false });
    const worker = await Worker.create({
      connection: server.nativeConnection,
      taskQueue: taskQueues.debate,
      maxConcurrentActivityTaskExecutions: 1,
      activities: {
        ...others,
        debate: async (...args: Parameters<typeof debate>) => {
          taken.push(activityInfo().workflowExecution?.workflowId === first ? '1' : '2');
          return debate(...args);
        },
      },
    });
    await worker.runUntil(Promise.all(handles.map((handle) => handle.result())));
    await dependencies.close();
    return taken.join('');
  }
  const share = (taken: string) => taken.slice(0, shards).split('2').length - 1;

  it('take turns when they have a weight, so that the second is not starved', async () => {
    expect(share(await order('a', { weight: 1 }, 'b', { weight: 1 }))).toBeGreaterThanOrEqual(shards / 2 - 2);
  });

  it('share it by their weights', async () => {
    expect(share(await order('c', { weight: 1 }, 'd', { weight: 3 }))).toBeGreaterThanOrEqual(
      (shards * 3) / 4 - 3,
    );
  });

  it('go one after the other by their priorities', async () => {
    const taken = await order('e', { priority: 5 }, 'f', { priority: 1 });
    expect(share(taken)).toBeGreaterThanOrEqual(shards - 2);
  });

  it('are served in the order of their coming without either', async () => {
    expect(share(await order('g', {}, 'h', {}))).toBeLessThanOrEqual(2);
  });
});
