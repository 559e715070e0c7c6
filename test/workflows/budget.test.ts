import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Limits } from '../../src/algorithm/steering.ts';
import {
  abortUpdate,
  holdSignal,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setBudgetUpdate,
} from '../../src/workflows/progress.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { setTotalBudgetUpdate, studyProgressQuery } from '../../src/workflows/study-progress.ts';
import type { study } from '../../src/workflows/study.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { until } from '../support/until.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

const isParked = async (handle: Pick<Handle, 'query'>): Promise<boolean> => {
  const { state, inFlight } = await handle.query(progressQuery);
  return state === 'parked' && inFlight === 0;
};

describe('an experiment with a budget', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('budget');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const input = { seed: 3, shard_size: 4 };
  const answered = async () => (await rig.engine.state()).answered;
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');
  const parked = (handle: Handle) => until('it waits for a larger budget', () => isParked(handle));
  const raise = (handle: Handle, limits: Limits) =>
    handle.executeUpdate(setBudgetUpdate, { args: [limits as Record<string, number>] });

  it('parks when its tokens are used up, and loses and repeats nothing', async () => {
    const began = await answered();
    const free = await (await rig.start('free', input)).result();
    const asked = (await answered()) - began;
    expect(existsSync(join(rig.storeRoot, 'free', 'used.json'))).toBe(false);

    const handle = await rig.start('bounded', { ...input, budget: { tokens: 3_000 } });
    await parked(handle);
    const { budget, table, waiting } = await handle.query(progressQuery);
    expect(budget!.used.tokens).toBeGreaterThanOrEqual(3_000);
    expect(waiting.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^BudgetUsedUp: [\d,]+ of 3,000 tokens$/),
    ]);
    expect(table['what to do']).toMatch(/colloquy set-budget bounded tokens=\d+$/);
    const { memo } = await handle.describe();
    expect(memo).toMatchObject({ halted: 'the budget is used up' });
    await expect(handle.executeUpdate(retryUpdate)).rejects.toThrow();
    await expect(raise(handle, { tokens: budget!.used.tokens })).rejects.toThrow();
    expect(await raise(handle, { tokens: budget!.used.tokens + 1_000 })).toMatchObject({ state: 'running' });
    await until('it is used up again', async () => (await handle.query(progressQuery)).state === 'parked');
    await raise(handle, { tokens: 10_000_000 });
    expect((await handle.result()).evaluations).toEqual(free.evaluations);
    expect((await answered()) - began).toBeLessThanOrEqual(2 * asked + 64);
    for (const shard of ['000', '001'])
      expect(await file('bounded', 'iteration-1', 'debates', `shard-${shard}.jsonl`)).toBe(
        await file('free', 'iteration-1', 'debates', `shard-${shard}.jsonl`),
      );
    const { used } = (await handle.query(progressQuery)).budget!;
    const { tokens } = free;
    const counted = (each: { prompt: number; completion: number }) => each.prompt + each.completion;
    // The majority at equal tokens is no part of the result's tokens.
    expect(used.tokens).toBeGreaterThanOrEqual(
      counted(tokens.debate) + counted(tokens.evaluation) + tokens.fineTune,
    );
  });

  it('started again with the budget that it has used asks nothing, and goes on with a larger one', async () => {
    const bounded = { ...input, seed: 4, budget: { tokens: 4_000 } };
    const handle = await rig.start('again', bounded);
    await parked(handle);
    await handle.executeUpdate(abortUpdate, { args: ['enough'] });
    await expect(handle.result()).rejects.toThrow();
    const before = await answered();
    const second = await rig.start('again', bounded);
    await parked(second);
    expect(await answered()).toBe(before);
    expect((await second.query(progressQuery)).budget!.used.tokens).toBeGreaterThanOrEqual(4_000);
    await second.executeUpdate(abortUpdate, { args: ['enough'] });
    await expect(second.result()).rejects.toThrow();
    const third = await rig.start('again', { ...bounded, budget: { tokens: 10_000_000 } });
    expect((await third.result()).evaluations).toHaveLength(2);
  });

  it('stops a step in the middle when its time is used up, and goes on from what that step had', async () => {
    // A shard would take some 15 seconds.
    await rig.engine.tell({ delay: 1_500 });
    const began = await answered();
    const handle = await rig.start('timed', {
      ...input,
      seed: 5,
      shard_size: 16,
      budget: { wall_seconds: 4 },
    });
    await parked(handle);
    await rig.engine.tell({ delay: 0 });
    const { budget, evaluations, done } = await handle.query(progressQuery);
    expect([evaluations.length, done]).toEqual([0, 0]);
    expect(budget!.used.wall_seconds).toBeGreaterThanOrEqual(4);
    expect(await answered()).toBeGreaterThan(began);
    const { wall_seconds: noted } = JSON.parse(await file('timed', 'used.json')) as { wall_seconds: number };
    expect(noted).toBeGreaterThan(1);
    await raise(handle, { wall_seconds: 36_000 });
    expect((await handle.result()).evaluations).toHaveLength(2);
  });
});

describe('a study with a total budget', { timeout: 500_000 }, () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('total-budget');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const { model, ...small } = smallExperiment;
  const input = {
    settings: { ...small, model, iterations: 1, shard_size: 4 },
    methods: ['multiagent-ft', 'base'],
    parallel: 1,
    experiments: [{ name: 'sums' }],
  };
  const start = (name: string, more: object = {}): Promise<WorkflowHandle<typeof study>> =>
    rig.client.workflow.start<typeof study>('study', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [{ ...input, ...more }],
    });
  const progressOf = (handle: WorkflowHandle<typeof study>) => handle.query(studyProgressQuery);
  const experimentOf = (study: string, method: string) =>
    rig.client.workflow.getHandle<typeof experiment>(`${study}-sums-${method}-s0`);

  it('has its experiments wait when they have used it up together, and begins no other', async () => {
    await rig.engine.tell({ hold: { round: 2, fineTuned: true } });
    const handle = await start('total', { total_budget: { tokens: 3_000 } });
    const waiting = experimentOf('total', 'multiagent-ft');
    // It may not be there yet.
    await until('its experiment waits', () => isParked(waiting).catch(() => false), 400_000);
    await rig.engine.tell({ release: true });
    const { table, waiting: said } = await waiting.query(progressQuery);
    expect(said.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^BudgetUsedUp: of the study total: [\d,]+ of 3,000 tokens$/),
    ]);
    expect(table['what to do']).toMatch(/colloquy set-budget total tokens=\d+$/);
    expect((await progressOf(handle)).cells.map(({ state }) => state)).toEqual(['running', 'waiting']);
    const { answered } = await rig.engine.state();
    // The experiment's own budget says nothing about the study's.
    await waiting.executeUpdate(setBudgetUpdate, { args: [{ tokens: 10_000_000 }] });
    expect((await waiting.query(progressQuery)).state).toBe('parked');
    await expect(handle.executeUpdate(setTotalBudgetUpdate, { args: [{ tokens: 1 }] })).rejects.toThrow();
    expect((await rig.engine.state()).answered).toBe(answered);

    await handle.executeUpdate(setTotalBudgetUpdate, { args: [{ tokens: 10_000_000 }] });
    expect(await handle.result()).toMatchObject({ finished: 2, failed: [] });
    expect((await waiting.result()).evaluations).toHaveLength(2);
  });

  it('begins nothing where it is used up already, and goes on with more', async () => {
    const base = { methods: ['base'] };
    await (await start('spent', base)).result();
    const handle = await start('spent', { ...base, seeds: [0, 1], total_budget: { tokens: 1 } });
    await until('it is looked at', async () => (await progressOf(handle)).budget !== undefined);
    expect((await progressOf(handle)).budget!.used.tokens).toBeGreaterThan(1);
    expect((await progressOf(handle)).cells.filter(({ state }) => state === 'running')).toEqual([]);
    await handle.executeUpdate(setTotalBudgetUpdate, { args: [{ tokens: null }] });
    expect(await handle.result()).toMatchObject({ finished: 2 });
  });

  it('leaves no experiment waiting that was started by hand: neither when it is cancelled, nor when it is started again', async () => {
    await rig.engine.tell({ hold: { round: 1 } });
    const base = { methods: ['base'], seeds: [5] };
    const byHand = await rig.client.workflow.start<typeof experiment>('experiment', {
      workflowId: 'hand-sums-base-s5',
      taskQueue: taskQueues.control,
      args: [
        {
          ...input.settings,
          iterations: 0,
          method: 'base',
          seed: 5,
          shared_answers: 'hand.sums',
          budget: { tokens: 1e9 },
        },
      ],
    });
    const heldBy = async () => (await byHand.query(progressQuery)).held;
    const says = { study: 'hand', says: 'all of it', settings: 'tokens=2' };
    // As a study that was terminated since has told it.
    await byHand.signal(holdSignal, says);
    await until('it is held', async () => (await heldBy()) !== undefined);
    const again = await start('hand', { ...base, total_budget: { tokens: 1e9 } });
    await until('the study has found it', async () =>
      (await progressOf(again)).cells.some(({ state }) => state === 'elsewhere'),
    );
    await until('it goes on', async () => (await heldBy()) === undefined, 20_000);
    await again.cancel();
    await expect(again.result()).rejects.toThrow();

    const both = { device_seconds: 0.001, wall_seconds: 0.001 };
    const cancelled = await start('hand', { ...base, total_budget: both });
    await until('the study has found it', async () =>
      (await progressOf(cancelled)).cells.some(({ state }) => state === 'elsewhere'),
    );
    await until('it asks', async () => (await rig.engine.state()).held > 0);
    // A step that is stopped notes its time.
    await byHand.executeUpdate(pauseUpdate);
    await byHand.executeUpdate(resumeUpdate);
    await until('it is held', async () => (await heldBy()) !== undefined, 60_000);
    expect((await heldBy())!.settings).toMatch(/^device_seconds=\d+ wall_seconds=\d+$/);
    await cancelled.executeUpdate(setTotalBudgetUpdate, { args: [{ device_seconds: 1e6 }] });
    await until('it says what is still lacking', async () =>
      /^wall_seconds=\d+$/.test((await heldBy())?.settings ?? ''),
    );
    await cancelled.cancel();
    await expect(cancelled.result()).rejects.toThrow();
    await until('it goes on', async () => (await heldBy()) === undefined, 20_000);
    await rig.engine.tell({ release: true });
    expect((await byHand.result()).evaluations).toHaveLength(1);
  });

  it('cannot be given to one that runs without', async () => {
    await rig.engine.tell({ hold: { round: 1 } });
    const handle = await start('without', { methods: ['base'], seeds: [7] });
    await expect(handle.executeUpdate(setTotalBudgetUpdate, { args: [{ tokens: 1 }] })).rejects.toThrow();
    await rig.engine.tell({ release: true });
    await handle.result();
  });
});
