import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methodNames } from '../../src/algorithm/methods.ts';
import type { StudyCell } from '../../src/config/study.ts';
import { openStore, studyFiles } from '../../src/store/store.ts';
import { abortUpdate, progressQuery } from '../../src/workflows/progress.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { studyProgressQuery } from '../../src/workflows/study-progress.ts';
import type { study } from '../../src/workflows/study.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { until } from '../support/until.ts';
import { workflowRig, type WorkflowRig } from '../support/workflow-rig.ts';

const { model, ...small } = smallExperiment;
const settings = { ...small, model, iterations: 1 };

describe('a study', { timeout: 120_000 }, () => {
  let rig: WorkflowRig;
  beforeAll(async () => (rig = await workflowRig('study')));
  afterAll(() => rig[Symbol.asyncDispose]());

  const start = (name: string, input: object): Promise<WorkflowHandle<typeof study>> =>
    rig.client.workflow.start<typeof study>('study', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [{ settings, experiments: [{ name: 'sums' }], ...input }],
    });
  const states = async (handle: WorkflowHandle<typeof study>) =>
    Object.fromEntries(
      (await handle.query(studyProgressQuery)).cells.map(({ method, state }) => [method, state]),
    );
  const asked = async (): Promise<string[]> =>
    (await readFile(join(rig.storeRoot, 'asked.log'), 'utf8')).trim().split('\n');
  const reason = (handle: WorkflowHandle<typeof study>) =>
    handle.result().then(
      () => undefined,
      (error: unknown) => (error instanceof WorkflowFailedError ? error.cause : error),
    );

  it('runs every method, and a variant of one, and asks for no answer twice that they share', async () => {
    const result = await (
      await start('all', { methods: methodNames, variants: { undecided: { min_votes: 1 } }, parallel: 3 })
    ).result();
    expect(result).toMatchObject({
      experiments: methodNames.length + 1,
      finished: methodNames.length + 1,
      failed: [],
    });
    const all = await asked();
    expect(new Set(all).size).toBe(all.length);
    const files = studyFiles(openStore(rig.storeRoot), 'all');
    const written = JSON.parse(await readFile(files.study.where, 'utf8')) as { cells: StudyCell[] };
    expect(written.cells.map(({ method, variant = method }) => variant)).toEqual([
      ...methodNames,
      'undecided',
    ]);
  });

  it('that has finished is not run again; with one more method or seed it runs that alone', async () => {
    await (await start('grows', { methods: ['base', 'debate'] })).result();
    const before = (await rig.engine.state()).answered;
    expect(await (await start('grows', { methods: ['base', 'debate'] })).result()).toMatchObject({
      finished: 2,
    });
    expect((await rig.engine.state()).answered).toBe(before);
    const again = await start('grows', { methods: ['base', 'debate', 'majority'], seeds: [0, 1] });
    expect(await again.result()).toMatchObject({ finished: 6 });
    const children: string[] = [];
    for await (const each of rig.client.workflow.list({ query: `WorkflowType = 'experiment'` }))
      if (each.workflowId.startsWith('grows-sums-base-s0')) children.push(each.runId);
    // Once, in its two runs: the evaluation of the base, which is all, and the report.
    expect(new Set(children).size).toBe(1);
  });

  it('goes on without an experiment that fails, says which and why, and runs that one when it is started again', async () => {
    await rig.engine.tell({ hold: { round: 2 } });
    const handle = await start('fails', { methods: ['debate', 'base'], parallel: 2 });
    const doomed = rig.client.workflow.getHandle('fails-sums-debate-s0');
    await until('the debate is under way', async () => (await rig.engine.state()).held > 0);
    await doomed.executeUpdate(abortUpdate, { args: ['for the test'] });
    await rig.engine.tell({ release: true });
    const cause = await reason(handle);
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect((cause as ApplicationFailure).type).toBe('StudyIncomplete');
    expect(String(cause)).toMatch(/fails-sums-debate-s0: Aborted.*for the test/s);
    expect(await states(handle)).toEqual({ debate: 'failed', base: 'finished' });
    expect(await (await start('fails', { methods: ['debate', 'base'] })).result()).toMatchObject({
      finished: 2,
    });
  });

  it('that is cancelled cancels its experiments, and goes on where they were', async () => {
    const methods = ['multiagent-ft', 'single-agent'];
    // Both are in their second run by then.
    await rig.engine.tell({ hold: { round: 2, fineTuned: true } });
    const handle = await start('cancelled', { methods });
    const statusOf = async (method: string) =>
      (await rig.client.workflow.getHandle(`cancelled-sums-${method}-s0`).describe()).status.name;
    await until('an iteration is evaluated', async () => (await rig.engine.state()).held > 0);
    await handle.cancel();
    expect(String(await reason(handle))).toMatch(/cancel/i);
    expect(await Promise.all(methods.map(statusOf))).toEqual(['CANCELLED', 'CANCELLED']);
    await rig.engine.tell({ release: true });
    expect(await (await start('cancelled', { methods })).result()).toMatchObject({ finished: 2 });
  });

  it('waits for an experiment of its own that somebody has started by hand, and takes its result', async () => {
    await rig.engine.tell({ hold: { round: 2 } });
    const input = { ...settings, method: 'debate', seed: 0, shared_answers: 'meets.sums' };
    const { iterations: _, ...open } = input;
    const byHand = await rig.client.workflow.start('experiment', {
      workflowId: 'meets-sums-debate-s0',
      taskQueue: taskQueues.control,
      args: [open],
    });
    await until('it debates', async () => (await rig.engine.state()).held > 0);
    const handle = await start('meets', { methods: ['debate'] });
    await until('the study has seen it', async () => (await states(handle))['debate'] === 'elsewhere');
    await rig.engine.tell({ release: true });
    await byHand.result();
    expect(await handle.result()).toMatchObject({ finished: 1 });
    expect(await handle.query(studyProgressQuery)).toMatchObject({ state: 'finished' });
  });

  it.each([
    [{ methods: ['debate'], experiments: [] }, 'experiments: [] was given'],
    [{ methods: ['debate'], experiments: [{ name: 'a' }, { name: 'a' }] }, 'two of them are called "a"'],
    [{ methods: ['debates'] }, 'the nearest is debate'],
    [
      { methods: ['debate'], settings: { agnets: 3 } },
      'experiments.0.agnets: unknown key; the nearest valid one is agents',
    ],
    [
      { methods: ['debate'], settings: { seed: 3 } },
      'settings.seed: the study sets this for each experiment',
    ],
    [{ methods: ['debate'], preset: 'labtop' }, 'the nearest is laptop'],
  ])('with the input %j starts nothing and says what is wrong', async (input, words) => {
    const cause = await reason(await start('invalid', input));
    expect((cause as ApplicationFailure).type).toBe('InvalidConfig');
    expect(String(cause)).toContain(words);
  });

  it('shows its experiments by their own progress too', async () => {
    await (await start('told', { methods: ['base'] })).result();
    expect(await rig.client.workflow.getHandle('told-sums-base-s0').query(progressQuery)).toMatchObject({
      state: 'finished',
    });
  });
});
