import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { pauseUpdate, progressQuery, resumeUpdate, retryUpdate } from '../../src/workflows/progress.ts';
import { changedWorkflows } from '../support/changed-workflows.ts';
import { replayHistories } from '../support/replay-histories.ts';
import { sharedBundle } from '../support/shared-bundle.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';
import { type TaskQueue, taskQueues } from '../../src/workflows/temporal.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

describe('the replay of what a test made', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('replay');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  it('takes every run: of a chain, terminated and started again, reset, and one that still runs', async () => {
    const chain = await rig.start('chain', { iterations: 2 });
    await chain.result();
    await rig.engine.answerWith(403);
    const parked = await rig.start('parked');
    const isParked = async () => (await parked.query(progressQuery)).state === 'parked';
    await until('it is parked', isParked);
    await parked.terminate('for the test');
    await rig.start('parked');
    await until('it is parked again', isParked);
    await rig.engine.answerWith(200);
    await rig.client.workflow.getHandle('parked').terminate();
    await temporalCli(['workflow', 'reset', '-w', 'chain', '--event-id', '4', '--reason', 'for the test']);
    await rig.client.workflow.getHandle('chain').result();
    // No worker serves this queue: its history is one of a workflow that no worker has begun.
    await rig.client.workflow.start('experiment', { workflowId: 'waiting', taskQueue: 'nobody', args: [] });

    const replayed = await rig.replayAll();
    const runs = replayed.map(({ workflowId }) => workflowId);
    // Base, iterations 1 and 2, and iteration 2 again after the reset.
    expect(runs.filter((each) => each === 'chain')).toHaveLength(4);
    expect(runs.filter((each) => each === 'parked')).toHaveLength(2);
    expect(runs.filter((each) => each === 'waiting')).toHaveLength(1);
  }, 60_000);

  it('fails when a run that was started is not among the histories', async () => {
    const started = [{ workflowId: 'lost', runId: 'never' }];
    await expect(replayHistories(rig.client, { started, visibleWithinMs: 100 })).rejects.toThrow(
      /not replayed.*lost/,
    );
  });

  it('fails when the code makes another course of a history', async () => {
    const change = { before: "await sdk.sleep('1s');" };
    const root = await changedWorkflows([{ place: 'next iteration', change }]);
    await expect(replayHistories(rig.client, { bundle: bundleWorkflows(root) })).rejects.toThrow(
      /do not replay[^]*chain/,
    );
  });
});

describe('an experiment whose worker is replaced while all its steps wait', () => {
  it('sees the failures before the retry and the pause before the resume, and has a history that replays', async () => {
    await using rig = await workflowRig('taken-over', { worker: false });
    const begin = async (...queues: TaskQueue[]) => {
      const stop = new AbortController();
      const dependencies = testDependencies({ storeRoot: rig.storeRoot, engineUrl: rig.engine.url });
      const worker = startWorkers({ queues, signal: stop.signal, dependencies, bundle: sharedBundle });
      return async () => {
        stop.abort();
        await worker;
      };
    };
    const endOthers = await begin(taskQueues.debate, taskQueues.gpu);
    let end = await begin(taskQueues.control);
    const replaceTheWorker = async () => {
      await end();
      end = await begin(taskQueues.control);
    };
    try {
      await rig.engine.answerWith(403);
      const handle = await rig.start('taken-over', { task: { train_size: 16, test_size: 48 } });
      const progress = () => handle.query(progressQuery);
      await until('all shards wait for a person', async () => (await progress()).waiting.length === 6);
      expect((await handle.describe()).memo).toMatchObject({ halted: 'steps that wait for a person: 6' });
      await replaceTheWorker();
      await rig.engine.answerWith(200);
      await rig.engine.tell({ hold: {} });
      expect(await handle.executeUpdate(retryUpdate)).toMatchObject({ waiting: [] });
      await until('all shards are under way', async () => (await progress()).inFlight === 6);
      await handle.executeUpdate(pauseUpdate);
      await until('it is paused', async () => (await progress()).state === 'paused');
      await replaceTheWorker();
      await rig.engine.tell({ release: true });
      await handle.executeUpdate(resumeUpdate);
      await until('the base is evaluated', async () => (await progress()).iteration === 1);
      expect((await handle.describe()).memo).not.toHaveProperty('halted');
      await rig.client.workflow.getHandle('taken-over').terminate();
    } finally {
      await Promise.all([end(), endOthers()]);
    }
  }, 120_000);
});
