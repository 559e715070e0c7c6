/** Nights that a real Schedule of a real server starts, with real workers that are killed and cancelled. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ScheduleHandle, ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scheduleOptions } from '../../src/cli/commands/schedule-create.ts';
import type { NightOutcome } from '../../src/store/records/result.ts';
import { openStore } from '../../src/store/store.ts';
import { readLedger } from '../../src/store/series.ts';
import { type InstantEngine, startInstantEngine } from '../support/instant-engine.ts';
import { until } from '../support/until.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';
import {
  beforeEvaluation,
  type Handle,
  reached,
  type WorkflowRig,
  workflowRig,
} from '../support/workflow-rig.ts';

describe('a schedule', () => {
  let rig: WorkflowRig;
  let engine: InstantEngine;
  let worker: WorkerProcess;
  beforeAll(async () => {
    rig = await workflowRig('nights-scheduled', { worker: false });
    engine = await startInstantEngine(['--delay', '20', '--log', join(rig.storeRoot, 'asked.log')]);
    worker = await startWorker();
  }, 120_000);
  afterAll(async () => {
    await worker.kill('SIGTERM');
    await engine[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  });

  const startWorker = (environment: Record<string, string> = {}) =>
    startWorkerProcess(
      {
        TEMPORAL_ADDRESS: process.env['TEMPORAL_ADDRESS'] ?? '',
        TEMPORAL_NAMESPACE: 'nights-scheduled',
        ...environment,
      },
      { storeRoot: rig.storeRoot, engineUrl: engine.url, trainerArgs: ['--step-ms', '50'] },
    );
  /** As `colloquy schedule create` makes it, small. */
  const schedule = async (name: string): Promise<ScheduleHandle> => {
    const small = [
      'iterations=1',
      'shard_size=8',
      'task.train_size=48',
      'task.test_size=16',
      'allow_few_steps=true',
    ];
    const model = ['model.endpoint=instant', 'model.model_name_or_path=instant'];
    const options = scheduleOptions({
      name,
      config: ['configs/quickstart.yaml', ...small, ...model],
      at: '02:00',
      cron: undefined,
      timeZone: 'UTC',
      overlap: 'skip',
      catchupWindow: '6h',
      pauseOnFailure: true,
      carryOver: true,
      note: undefined,
    });
    return rig.client.schedule.create(options);
  };
  /** Triggers a night and waits until there is one more than before. A workflow id has the second in it. */
  const trigger = async (handle: ScheduleHandle, overlap: ScheduleOverlapPolicy): Promise<Handle> => {
    const names = async () =>
      (await handle.describe()).info.recentActions.map(({ action }) => action.workflow.workflowId);
    const before = await names();
    await until(
      'the next second',
      () => !before.some((name) => name.includes(new Date().toISOString().slice(0, 19))),
    );
    await handle.trigger(overlap);
    const name = await until('a night is started', async () =>
      (await names()).find((each) => !before.includes(each)),
    );
    return rig.client.workflow.getHandle(name) as Handle;
  };
  const outcomeOf = async (handle: Handle): Promise<NightOutcome> => (await handle.result()).night!;
  const textsOf = async (name: string) =>
    (await readFile(join(rig.storeRoot, name, 'questions', 'train.jsonl'), 'utf8')).trim().split('\n');
  const ledger = (series: string) => readLedger(openStore(rig.storeRoot), series);

  it('has three nights, one with its worker killed, one cancelled and one skipped between, each go on from the last', async () => {
    const handle = await schedule('nightly');
    const { SKIP } = ScheduleOverlapPolicy;
    const first = await trigger(handle, SKIP);
    expect(first.workflowId).toMatch(/^nightly-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await outcomeOf(first)).toMatchObject({ sequence: 1, from: null, outcome: 'accepted' });

    const killed = await trigger(handle, SKIP);
    await reached(killed, ['fine-tuning'], 60_000);
    await handle.trigger(SKIP);
    await until('one is skipped', async () => (await handle.describe()).info.numActionsSkippedOverlap === 1);
    await worker.kill('SIGKILL');
    worker = await startWorker();
    expect(await outcomeOf(killed)).toMatchObject({
      sequence: 2,
      from: first.workflowId,
      outcome: 'accepted',
    });

    const cancelled = await trigger(handle, SKIP);
    await reached(cancelled, beforeEvaluation, 60_000);
    await cancelled.cancel();
    await expect(cancelled.result()).rejects.toThrow();
    expect(await ledger('nightly')).toHaveLength(2);

    const last = await trigger(handle, SKIP);
    expect(await outcomeOf(last)).toMatchObject({
      sequence: 3,
      from: killed.workflowId,
      outcome: 'accepted',
    });
    expect(await textsOf(last.workflowId)).toEqual(await textsOf(cancelled.workflowId));
    const asked = (
      await Promise.all([first, killed, last].map(({ workflowId }) => textsOf(workflowId)))
    ).flat();
    expect(new Set(asked.map((row) => (JSON.parse(row) as { text: string }).text)).size).toBe(3 * 48);
    expect((await handle.describe()).state.paused).toBe(false);
  }, 120_000);

  it('that allows two nights at once has one of them carried on and the other one overtaken', async () => {
    const handle = await schedule('together');
    const { ALLOW_ALL } = ScheduleOverlapPolicy;
    const both = [await trigger(handle, ALLOW_ALL), await trigger(handle, ALLOW_ALL)];
    const outcomes = await Promise.all(both.map(outcomeOf));
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['accepted', 'overtaken']);
    expect(outcomes.map(({ from }) => from)).toEqual([null, null]);
    const winner = both[outcomes.findIndex(({ outcome }) => outcome === 'accepted')]!.workflowId;
    expect(outcomes.find(({ outcome }) => outcome === 'overtaken')!.said).toContain(
      `${winner} was finished first`,
    );
    const next = await trigger(handle, ALLOW_ALL);
    expect(await outcomeOf(next)).toMatchObject({ sequence: 3, from: winner, outcome: 'accepted' });
  }, 120_000);

  it('has a night whose worker is killed between the ledger and the night’s end counted once, and ended by the next worker', async () => {
    await worker.kill('SIGTERM');
    worker = await startWorker({ COLLOQUY_TEST_KILLED_AFTER: 'night-00001/night.json' });
    const night = await trigger(await schedule('exact'), ScheduleOverlapPolicy.SKIP);
    await worker.ended;
    const added = await ledger('exact');
    expect(added).toMatchObject([{ experiment: night.workflowId, outcome: 'accepted' }]);
    const { status, raw } = await night.describe();
    expect(status.name).toBe('RUNNING');
    expect(raw.pendingActivities).toMatchObject([{ activityId: 'close-night', attempt: 1 }]);
    worker = await startWorker();
    const { series, sequence, from, outcome, said } = added[0]!;
    expect(await outcomeOf(night)).toEqual({ series, sequence, from, outcome, said });
    expect(await ledger('exact')).toEqual(added);
  }, 120_000);

  it('that is backfilled has the nights of the past one after the other, each going on from the one before', async () => {
    const handle = await schedule('filled');
    await handle.backfill({
      start: new Date('2026-11-20T00:00:00Z'),
      end: new Date('2026-11-22T00:00:00Z'),
      overlap: ScheduleOverlapPolicy.BUFFER_ALL,
    });
    const nights = await until(
      'two nights are in the ledger',
      async () => {
        const entries = await ledger('filled');
        return entries.length === 2 && entries;
      },
      60_000,
    );
    const first = 'filled-2026-11-20T02:00:00Z';
    const second = 'filled-2026-11-21T02:00:00Z';
    expect(nights).toMatchObject([
      { experiment: first, from: null, outcome: 'accepted' },
      { experiment: second, from: first, outcome: 'accepted' },
    ]);
    await rig.client.workflow.getHandle(second).result();
  }, 120_000);
});
