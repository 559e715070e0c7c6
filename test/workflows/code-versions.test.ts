/** Code that changes while an experiment runs: real workers of two versions, each a process with its own copy of the code. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { changedWorkflows } from '../support/changed-workflows.ts';
import { type InstantEngine, startInstantEngine } from '../support/instant-engine.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { until } from '../support/until.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import type { Handle } from '../support/workflow-rig.ts';

const sleeps = "await sdk.sleep('1ms');";

describe('an experiment under way while the code changes', () => {
  const storeRoot = temporaryFolder();
  const workers: WorkerProcess[] = [];
  let connection: Connection;
  let client: Client;
  let engine: InstantEngine;
  beforeAll(async () => {
    const address = await temporalAddress();
    process.env['TEMPORAL_ADDRESS'] = address;
    process.env['TEMPORAL_NAMESPACE'] = 'versions';
    connection = await Connection.connect({ address });
    client = new Client({ connection, namespace: 'versions' });
    engine = await startInstantEngine();
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((each) => each.kill('SIGTERM')));
  });
  afterAll(async () => {
    await connection.close();
    await engine[Symbol.asyncDispose]();
  });

  const worker = async (environment: Record<string, string>, root?: string): Promise<WorkerProcess> => {
    const started = await startWorkerProcess(environment, { storeRoot, engineUrl: engine.url }, root);
    workers.push(started);
    return started;
  };
  const buildEnvironment = (build: string) => ({
    COLLOQUY_DEPLOYMENT: 'colloquy',
    COLLOQUY_BUILD_ID: build,
  });
  const setCurrent = (build: string) => {
    const version = ['--deployment-name', 'colloquy', '--build-id', build];
    return temporalCli(['worker', 'deployment', 'set-current-version', ...version, '--yes']);
  };

  /** Today's code, but for what an iteration begins with. Each is made once. */
  const made = new Map<string, Promise<string>>();
  const codeThatBeginsWith = (before: string) => {
    const code = made.get(before) ?? changedWorkflows([{ place: 'debates', change: { before } }]);
    made.set(before, code);
    return code;
  };

  /** Starts an experiment of two iterations, which waits for a person in the first. */
  async function startAndStopInTheFirstIteration(name: string): Promise<Handle> {
    const handle = await client.workflow.start<typeof experiment>('experiment', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [{ ...smallExperiment, iterations: 2, task: { train_size: 96, test_size: 16 } }],
    });
    await until('iteration 1 is under way', async () => (await handle.query(progressQuery)).iteration === 1);
    await engine.answerWith(403);
    await until('all that is left waits for a person', async () => {
      const { state, inFlight } = await handle.query(progressQuery);
      return state === 'parked' && inFlight === 0;
    });
    expect((await handle.query(progressQuery)).iteration).toBe(1);
    await engine.answerWith(200);
    return handle;
  }

  /** Of each run, the first first: builds that did its workflow tasks, and how many timers it began. */
  async function runsOf(name: string): Promise<{ builds: string[]; timers: number; markers: number }[]> {
    const runs: { runId: string; startTime: Date }[] = [];
    for await (const run of client.workflow.list({ query: `WorkflowId="${name}"` })) runs.push(run);
    runs.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
    return Promise.all(
      runs.map(async ({ runId }) => {
        const { events } = await client.workflow.getHandle(name, runId).fetchHistory();
        const builds = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: done }) =>
          done ? [done.deploymentVersion?.buildId ?? 'none'] : [],
        );
        return {
          builds: [...new Set(builds)],
          timers: (events ?? []).filter(({ timerStartedEventAttributes: timer }) => timer).length,
          markers: (events ?? []).filter(({ markerRecordedEventAttributes: marker }) => marker).length,
        };
      }),
    );
  }

  it('goes on with a compatible change when its worker is replaced, and takes the change up where it is new', async () => {
    const yesterday = await worker({});
    const handle = await startAndStopInTheFirstIteration('replaced');
    await yesterday.kill('SIGTERM');
    await worker({}, await codeThatBeginsWith(`if (sdk.patched('a-moment')) ${sleeps}`));
    await handle.executeUpdate(retryUpdate);
    expect((await handle.result()).evaluations).toHaveLength(3);
    expect(await runsOf('replaced')).toMatchObject([
      { timers: 0, markers: 0 },
      // Of what it waited for.
      { timers: 0, markers: 1 },
      { timers: 1, markers: 1 },
    ]);
  }, 120_000);

  it('ends right when workers of both versions serve its queues for a while, as in a rolling deploy', async () => {
    const yesterday = await worker({});
    const handle = await startAndStopInTheFirstIteration('rolling');
    await worker({}, await codeThatBeginsWith(`if (sdk.patched('a-moment')) ${sleeps}`));
    await handle.executeUpdate(retryUpdate);
    // What the new version has begun the old one cannot go on with: it leaves it to the new one.
    await until('the second iteration is under way', async () => (await runsOf('rolling')).length === 3);
    await yesterday.kill('SIGTERM');
    expect((await handle.result()).evaluations).toHaveLength(3);
  }, 120_000);

  it('stays with its version for the iteration, and the next iteration runs on the version current by then', async () => {
    await worker(buildEnvironment('a'));
    await until('version a is known', () => setCurrent('a').catch(() => false as const));
    const handle = await startAndStopInTheFirstIteration('versioned');
    // Not compatible: it would not get past the replay of what the first iteration has done.
    await worker(buildEnvironment('b'), await codeThatBeginsWith(sleeps));
    await until('version b is known', () => setCurrent('b').catch(() => false as const));
    await handle.executeUpdate(retryUpdate);
    await handle.result();
    expect(await runsOf('versioned')).toEqual([
      { builds: ['a'], timers: 0, markers: 0 },
      { builds: ['a'], timers: 0, markers: 1 },
      { builds: ['b'], timers: 1, markers: 0 },
    ]);
  }, 120_000);

  it('has workers that say which build they serve, and how it becomes the current one', async () => {
    const child = spawn(
      process.execPath,
      [join(projectRoot, 'bin', 'colloquy.mjs'), 'worker', '--queues', 'gpu'],
      {
        env: { ...process.env, ...buildEnvironment('c'), COLLOQUY_STORE: storeRoot },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    child.stderr.on('data', (chunk) => (said += String(chunk)));
    await until('it says its build', () => said.includes('Build c of deployment colloquy'));
    expect(said).toContain('set-current-version --deployment-name colloquy --build-id c');
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
});
