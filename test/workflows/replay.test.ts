import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { progressQuery } from '../../src/workflows/progress.ts';
import { changedWorkflows } from '../support/changed-workflows.ts';
import { replayHistories } from '../support/replay-histories.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { until } from '../support/until.ts';
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
