import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experimentResultSchema } from '../../src/store/records/result.ts';
import { taskQueues } from '../../src/workflows/server-names.ts';
import {
  abortUpdate,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from '../../src/workflows/progress.ts';
import { until } from '../support/until.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

/** Requests that a worker has under way at once, by the test endpoint's max_concurrency. */
const inFlight = 16;

describe('an experiment', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('workflows');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');
  const asked = async () => (await file('asked.log')).trim().split('\n');
  const datasets = (name: string) =>
    Promise.all(
      [1, 2, 3].flatMap((agent) =>
        ['generation', 'critic'].map((role) =>
          file(name, 'iteration-1', 'datasets', `agent-${agent}-${role}.jsonl`),
        ),
      ),
    );
  const parked = (handle: Handle) =>
    until('the experiment is parked', async () => {
      const progress = await handle.query(progressQuery);
      return progress.state === 'parked' && progress;
    });
  const failureOf = async (handle: Handle): Promise<ApplicationFailure> => {
    const error = await handle.result().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const { cause } = error as WorkflowFailedError;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    return cause as ApplicationFailure;
  };

  it('evaluates the base, debates, fine-tunes 2N models and evaluates again, for each iteration', async () => {
    const handle = await rig.start('whole', { iterations: 2 });
    const result = await handle.result();
    expect(result.evaluations.map(({ iteration, questions }) => [iteration, questions])).toEqual([
      [0, 16],
      [1, 16],
      [2, 16],
    ]);
    expect(result.iterations.map(({ fineTunes }) => fineTunes.length)).toEqual([6, 6]);
    expect(result.evaluations.at(-1)!.single.accuracy).toBeGreaterThan(
      result.evaluations[0]!.single.accuracy,
    );
    expect(experimentResultSchema.parse(JSON.parse(await file('whole', 'result.json')))).toEqual(result);
    expect((await file('whole', 'evaluation.jsonl')).trim().split('\n')).toHaveLength(48);
    expect(await file('whole', 'report.html')).toContain('</html>');
  });

  it('gives the same datasets, byte for byte, for the same seed under another name', async () => {
    await (await rig.start('twin-a', { seed: 7 })).result();
    await (await rig.start('twin-b', { seed: 7 })).result();
    expect(await datasets('twin-b')).toEqual(await datasets('twin-a'));
    await (await rig.start('stranger', { seed: 8 })).result();
    expect(await datasets('stranger')).not.toEqual(await datasets('twin-a'));
  });

  it('answers the query progress, and shows the same as its current details', async () => {
    const handle = await rig.start('watched');
    await handle.result();
    const progress = await handle.query(progressQuery);
    expect(progress).toMatchObject({
      experiment: 'watched',
      state: 'finished',
      phase: 'done',
      iterations: 1,
    });
    expect(progress.evaluations).toHaveLength(2);
    expect(progress.lastLoss).toMatchObject({ loss: 0.25, iteration: 1 });
    const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
    for (const [what, text] of Object.entries(progress.table))
      expect(metadata.currentDetails).toContain(`| ${what} | ${text} |`);
  });

  it.each([
    ['an unknown key', { agnets: 3 }, /agnets.*agents/s],
    ['a value out of range', { agents: 0 }, /agents/],
    ['a wrong type', { task: { train_size: 'many' } }, /task\.train_size/],
    ['a list', [], /object/],
    ['a text', 'quickstart', /object/],
    ['an unknown preset', { preset: 'quickstrat' }, /quickstart/],
    ['an unknown endpoint', { model: { endpoint: 'nowhere' } }, /nowhere/],
    ['an unknown model', { model: { endpoint: 'instant', model_name_or_path: 'gpt-9' } }, /gpt-9/],
    [
      'a task file that is not there',
      { task: { kind: 'jsonl', train_file: '/nowhere.jsonl' } },
      /nowhere\.jsonl/,
    ],
  ])('fails with InvalidConfig, naming the place, when given %s', async (what, input, words) => {
    const failure = await failureOf(await rig.start(`bad-${what.replaceAll(' ', '-')}`, input));
    expect(failure.type).toBe('InvalidConfig');
    expect(failure.message).toMatch(words);
  });

  it('refuses a name that belongs to another config, saying what differs, and goes on with more iterations', async () => {
    await (await rig.start('named')).result();
    const failure = await failureOf(await rig.start('named', { critic_weight: 0.25 }));
    expect(failure.type).toBe('InvalidConfig');
    expect(failure.message).toMatch(/critic_weight.*0\.2, not 0\.25/);
    expect((await (await rig.start('named', { iterations: 2 })).result()).evaluations).toHaveLength(3);
  });

  it('refuses a workflow id that is no name of a folder', async () => {
    const failure = await failureOf(await rig.start('../outside'));
    expect(failure.type).toBe('InvalidConfig');
    expect(existsSync(join(rig.storeRoot, '..', 'outside'))).toBe(false);
  });

  it('refuses a second input, which only a run before may give', async () => {
    const handle = await rig.client.workflow.start('experiment', {
      workflowId: 'two-inputs',
      taskQueue: taskQueues.control,
      args: [{}, {}],
    });
    expect((await failureOf(handle)).type).toBe('InvalidConfig');
  });

  it('parks a step that cannot succeed, says why, and goes on after retry when the cause is gone', async () => {
    await rig.engine.answerWith(403);
    try {
      const handle = await rig.start('parks');
      const progress = await parked(handle);
      expect(progress.waiting[0]!.step).toMatch(/^debate-i0-heldout-s00\d$/);
      expect(progress.waiting[0]!.reason).toMatch(/403.*told to refuse/s);
      await until('all shards wait', async () => (await handle.query(progressQuery)).waiting.length === 2);
      await rig.engine.answerWith(200);
      await handle.executeUpdate(retryUpdate);
      expect((await handle.result()).evaluations).toHaveLength(2);
    } finally {
      await rig.engine.answerWith(200);
    }
  });

  it('ends as failed after abort, and a plain start of the same id goes on where it was', async () => {
    await rig.engine.answerWith(403);
    const handle = await rig.start('aborted');
    await parked(handle);
    await handle.executeUpdate(abortUpdate, { args: ['no more money'] });
    const failure = await failureOf(handle);
    expect(failure.type).toBe('Aborted');
    expect(failure.message).toMatch(/no more money.*goes on/);
    await rig.engine.answerWith(200);
    expect((await (await rig.start('aborted')).result()).evaluations).toHaveLength(2);
  });

  it('pauses with its steps stopped, and resumes without asking again for what was answered', async () => {
    const before = (await asked()).length;
    const handle = await rig.start('paused', { seed: 11, task: { train_size: 96, test_size: 96 } });
    await until('questions are debated', async () => (await asked()).length > before + 50);
    expect(await handle.executeUpdate(pauseUpdate)).toMatchObject({ state: 'pausing' });
    await expect(handle.executeUpdate(pauseUpdate)).rejects.toThrow();
    await until('it is paused', async () => (await handle.query(progressQuery)).state === 'paused');
    await until(
      'no activity is pending',
      async () => ((await handle.describe()).raw.pendingActivities ?? []).length === 0,
    );
    await handle.executeUpdate(resumeUpdate);
    expect((await handle.result()).evaluations).toHaveLength(2);
    const questions = (await asked()).slice(before);
    expect(questions.length - new Set(questions).size).toBeLessThanOrEqual(inFlight);
  });

  it('resumes at once after a pause, when its steps have not stopped yet', async () => {
    const handle = await rig.start('hasty', { seed: 13, task: { train_size: 96, test_size: 16 } });
    await until('it debates', async () => (await handle.query(progressQuery)).phase === 'debating');
    for (let times = 0; times < 3; times++) {
      await handle.executeUpdate(pauseUpdate);
      await handle.executeUpdate(resumeUpdate);
    }
    expect((await handle.result()).evaluations).toHaveLength(2);
  });

  it('changes its number of iterations while it runs, within reason', async () => {
    const handle = await rig.start('longer', { seed: 12 });
    await until('it is prepared', async () => (await handle.query(progressQuery)).phase !== 'preparing');
    await handle.executeUpdate(pauseUpdate);
    await expect(handle.executeUpdate(setIterationsUpdate, { args: [0] })).rejects.toThrow();
    await expect(handle.executeUpdate(setIterationsUpdate, { args: [1.5] })).rejects.toThrow();
    expect(await handle.executeUpdate(setIterationsUpdate, { args: [2] })).toMatchObject({ iterations: 2 });
    await handle.executeUpdate(resumeUpdate);
    expect((await handle.result()).evaluations).toHaveLength(3);
  });

  it('is cancelled cleanly, and started again asks only for what is missing', async () => {
    const input = { seed: 21, task: { train_size: 96, test_size: 48 } };
    const before = (await asked()).length;
    const handle = await rig.start('cancelled', input);
    await until('it debates', async () => (await handle.query(progressQuery)).phase === 'debating');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    await (await rig.start('cancelled', input)).result();
    const questions = (await asked()).slice(before);
    expect(questions.length - new Set(questions).size).toBeLessThanOrEqual(inFlight);
  });

  it('makes damaged artifacts again: a shard, an outcome table and a model', async () => {
    const input = { seed: 33 };
    const first = await (await rig.start('damaged', input)).result();
    const before = await datasets('damaged');
    await writeFile(join(rig.storeRoot, 'damaged', 'iteration-1', 'debates', 'shard-001.jsonl'), '{"half a');
    await writeFile(join(rig.storeRoot, 'damaged', 'iteration-0', 'outcomes.jsonl'), 'garbage\n');
    const model = first.iterations[0]!.fineTunes.find(({ model: key }) => key !== null)!.model!;
    await writeFile(join(rig.storeRoot, 'models', model, 'adapter_model.safetensors'), 'garbage');
    const second = await (await rig.start('damaged', { ...input, iterations: 2 })).result();
    expect(second.evaluations.slice(0, 2)).toEqual(first.evaluations);
    expect(await datasets('damaged')).toEqual(before);
    expect(
      existsSync(join(rig.storeRoot, 'damaged', 'iteration-1', 'debates', 'shard-001.jsonl.damaged-1')),
    ).toBe(true);
    expect(existsSync(join(rig.storeRoot, 'models', `${model}.damaged-1`))).toBe(true);
  });

  it('makes again what an iteration before the last has left, when only the report finds it damaged', async () => {
    const input = { seed: 34, iterations: 2, task: { train_size: 96, test_size: 48 } };
    const whole = await (await rig.start('untorn', input)).result();
    const before = (await asked()).length;
    const handle = await rig.start('torn', input);
    await until(
      'it is in its second iteration',
      async () => (await handle.query(progressQuery)).iteration === 2,
    );
    await handle.executeUpdate(pauseUpdate);
    for (const name of ['record.json', 'evaluation.json', 'outcomes.jsonl'])
      await writeFile(join(rig.storeRoot, 'torn', 'iteration-1', name), 'garbage\n');
    await handle.executeUpdate(resumeUpdate);
    const { evaluations, iterations, tokens } = await handle.result();
    expect({ evaluations, iterations, tokens }).toEqual({
      evaluations: whole.evaluations,
      iterations: whole.iterations,
      tokens: whole.tokens,
    });
    expect(await datasets('torn')).toEqual(await datasets('untorn'));
    const questions = (await asked()).slice(before);
    expect(questions.length - new Set(questions).size).toBeLessThanOrEqual(inFlight);
    expect(existsSync(join(rig.storeRoot, 'torn', 'iteration-1', 'record.json.damaged-1'))).toBe(true);
  });

  it('starts nothing of an experiment that is done twice: a second start returns the same result', async () => {
    const first = await (await rig.start('again')).result();
    const before = await file('asked.log');
    expect(await (await rig.start('again')).result()).toEqual(first);
    expect(await file('asked.log')).toBe(before);
  });

  it('tells each step but the first the store in which it was begun', async () => {
    const { events = [] } = await rig.client.workflow.getHandle('whole').fetchHistory();
    const inputs = (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.input?.payloads ?? [],
    );
    const paths = inputs.filter(({ data }) =>
      Buffer.from(data ?? []).includes(JSON.stringify(rig.storeRoot)),
    );
    expect(inputs.length).toBeGreaterThan(2);
    expect(paths.length).toBe(inputs.length / 2);
  });

  it('has histories that replay, each small and with no payload above 100 kB', async () => {
    const replayed = await rig.replayAll();
    // Each iteration of each start is a run of its own.
    expect(replayed.length).toBeGreaterThan(new Set(replayed.map(({ workflowId }) => workflowId)).size + 20);
    for (const { events, largestPayload } of replayed) {
      expect(events).toBeLessThan(500);
      expect(largestPayload).toBeLessThan(100_000);
    }
  });
});
