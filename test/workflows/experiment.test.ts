import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createEndpoints, type Endpoints } from '../../src/engines/endpoint/open.ts';
import { experimentResultSchema } from '../../src/store/records/result.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import {
  abortUpdate,
  changeUpdate,
  pauseUpdate,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setIterationsUpdate,
} from '../../src/workflows/progress.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { leaveChartsOut } from '../support/charts.ts';
import { expectDescribedOnPage, type Metadata } from '../support/described-on-page.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { readSnapshot } from '../../src/cli/experiment/snapshot.ts';
import { temporalCli } from '../support/temporal-cli.ts';
import { until } from '../support/until.ts';
import {
  beforeEvaluation,
  type Handle,
  reached,
  type WorkflowRig,
  workflowRig,
} from '../support/workflow-rig.ts';

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
  const failureOf = async (handle: Pick<Handle, 'result'>): Promise<ApplicationFailure> => {
    const error = await handle.result().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const { cause } = error as WorkflowFailedError;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    return cause as ApplicationFailure;
  };

  it('evaluates the base, debates, fine-tunes 2N models and evaluates again, for each iteration', async () => {
    leaveChartsOut(false);
    const handle = await rig.start('whole', { iterations: 2 });
    const result = await handle.result();
    leaveChartsOut(true);
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
    expect(await file('whole', 'report.html')).toMatch(/<svg[^>]+>.*<\/html>/s);
    // The server keeps no adapter of it.
    const listed = (await (await fetch(`${rig.engine.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id)).toEqual(['instant']);
  });

  it('trains whole models, loads each once for each round, and keeps those of the last iteration', async () => {
    const handle = await rig.start('full', {
      iterations: 2,
      shard_size: 16,
      keep: 'last',
      model: { endpoint: 'local' },
      fine_tune: { method: 'full' },
    });
    const result = await handle.result();
    const keys = result.iterations.map(({ fineTunes }) => fineTunes.map(({ model }) => model!));
    expect(new Set(keys.flat()).size).toBe(12);
    expect(result.evaluations.at(-1)!.single.accuracy).toBeGreaterThan(
      result.evaluations[0]!.single.accuracy,
    );
    const loaded = (await file('engine-starts.log')).trim().split('\n');
    // The base model for iteration 0 and the first debates; the models of iteration 1 for its evaluation and the debates of iteration 2.
    const times = (key: string) => loaded.filter((name) => name.endsWith(key)).length;
    expect(keys[0]!.map(times)).toEqual(keys[0]!.map(() => 2));
    expect(keys[1]!.map(times)).toEqual(keys[1]!.map(() => 1));
    expect(times('tiny-arithmetic')).toBe(1);
    const there = (key: string) => existsSync(join(rig.storeRoot, 'models', key, 'manifest.json'));
    expect(keys.map((each) => each.map(there))).toEqual([
      keys[0]!.map(() => false),
      keys[1]!.map(() => true),
    ]);
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
    const metadata = await handle.query<Metadata>('__temporal_workflow_metadata');
    for (const [what, text] of Object.entries(progress.table))
      expect(metadata.currentDetails).toContain(`| ${what} | ${text} |`);
    await expectDescribedOnPage(metadata.definition);
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

  it('takes all inputs of a run that continued another, as the UI gives them to start one like it', async () => {
    await (await rig.start('model-run')).result();
    const { events } = await rig.client.workflow.getHandle('model-run').fetchHistory();
    const { payloads } = events![0]!.workflowExecutionStartedEventAttributes!.input!;
    expect(payloads).toHaveLength(2);
    const args = payloads!.map((payload) => defaultPayloadConverter.fromPayload(payload));
    const options = { workflowId: 'like-this-one', taskQueue: taskQueues.control, args };
    const result = (await (await rig.client.workflow.start('experiment', options)).result()) as {
      name: string;
    };
    expect(result.name).toBe('like-this-one');
    const { memo } = await rig.client.workflow.getHandle('like-this-one').describe();
    expect(memo).toMatchObject({ method: 'multiagent-ft', model: 'instant', accuracy: expect.any(Number) });
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

  it('is shown by `colloquy status --watch` until it ends, and the list of all until Ctrl-C', async () => {
    vi.stubEnv('COLLOQUY_STORE', rig.storeRoot);
    vi.stubEnv('NO_COLOR', '1');
    // A process of its own: Ctrl-C would stop the workers in this one.
    const list = spawn(process.execPath, ['bin/colloquy.mjs', 'status', '--watch'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let listed = '';
    list.stdout.on('data', (chunk: Buffer) => (listed += chunk.toString()));
    const listEnded = once(list, 'exit');
    const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const shown = (): string => printed.mock.calls.join('\n');
    await rig.engine.answerWith(403);
    try {
      const handle = await rig.start('shown');
      await parked(handle);
      const watching = runCli(['status', 'shown', '--watch']);
      await until('it is shown as parked', () => /^shown: parked$/m.test(shown()));
      expect(shown()).toContain('colloquy retry shown');
      await until('it is listed as parked', () => /shown .* parked /.test(listed));
      await rig.engine.answerWith(200);
      await handle.executeUpdate(retryUpdate);
      const { evaluations } = await handle.result();
      expect(await watching).toBe(0);
      expect(shown()).toMatch(/^shown: completed$/m);
      const accuracy = `${(evaluations.at(-1)!.debate.accuracy * 100).toFixed(1)} %`;
      // The accuracy comes from the memo, because this worker sets no search attributes.
      await until('it is listed as completed', () => {
        return /.*shown .* completed .*/.exec(listed)?.[0].includes(accuracy);
      });
      list.kill('SIGINT');
      expect(await listEnded).toEqual([130, null]);
    } finally {
      list.kill('SIGKILL');
      vi.restoreAllMocks();
      vi.unstubAllEnvs();
      await rig.engine.answerWith(200);
    }
  });

  it('begins once its endpoint answers, when that is down at first', async () => {
    await rig.engine.kill();
    const handle = await rig.start('early');
    await until('the preparation is tried again', async () =>
      ((await handle.describe()).raw.pendingActivities ?? []).some(({ attempt }) => (attempt ?? 0) > 1),
    );
    await rig.engine.start();
    expect((await handle.result()).evaluations).toHaveLength(2);
  });

  it('has its steps done by the workers that can do them, beside one that lacks the endpoint', async () => {
    const lacking = createEndpoints({}, { logFolder: rig.storeRoot, modelFolder: async () => rig.storeRoot });
    const lookedFor = vi.fn<Endpoints['for']>((base) => lacking.for(base));
    const others = testDependencies({ storeRoot: rig.storeRoot, engineUrl: rig.engine.url });
    const stop = new AbortController();
    const worker = startWorkers({
      signal: stop.signal,
      queues: [taskQueues.debate],
      dependencies: { ...others, endpoints: { ...lacking, for: lookedFor } },
    });
    try {
      for (let seed = 0; lookedFor.mock.calls.length === 0; seed++)
        expect((await (await rig.start(`shared-${seed}`, { seed })).result()).evaluations).toHaveLength(2);
    } finally {
      stop.abort();
      await worker;
    }
  });

  it('goes on after a setting was changed that its fine-tunes could not use, and its result says so', async () => {
    const input = { fine_tune: { learning_rate: 0.9 } };
    const handle = await rig.start('diverges', input);
    expect((await parked(handle)).waiting[0]!.reason).toMatch(/NaN.*Lower fine_tune\.learning_rate/s);
    await expect(handle.executeUpdate(changeUpdate, { args: [{ rounds: 1 }] })).rejects.toThrow();
    const { changes } = await handle.executeUpdate(changeUpdate, {
      args: [{ 'fine_tune.learning_rate': 0.1 }],
    });
    expect(changes).toMatchObject([{ path: 'fine_tune.learning_rate', before: 0.9, after: 0.1 }]);
    await until('no fine-tune is under way', async () => (await handle.query(progressQuery)).inFlight === 0);
    await handle.signal('retry');
    expect((await handle.result()).changes).toEqual(changes);
    // What it learnt is found again by a start with the first config.
    expect(
      (await (await rig.start('diverges', { ...input, iterations: 2 })).result()).evaluations,
    ).toHaveLength(3);
  });

  it('tries all its fine-tunes again after one retry, also those that were under way and failed after it', async () => {
    const handle = await rig.start('retried-early', { fine_tune: { learning_rate: 0.9 } });
    expect((await parked(handle)).inFlight).toBeGreaterThan(0);
    await handle.executeUpdate(retryUpdate);
    await until('all fine-tunes wait', async () => (await handle.query(progressQuery)).waiting.length === 6);
    const { events } = await handle.fetchHistory();
    const begun = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'fineTune' ? [scheduled.activityId] : [],
    );
    expect(new Set(begun).size).toBe(6);
    expect(begun).toHaveLength(12);
    await handle.terminate();
  });

  it('shows that an operator has paused a step, and who, and goes on when it is unpaused', async () => {
    await rig.engine.tell({ hold: {} });
    const handle = await rig.start('operated', { seed: 41 });
    await until('questions are held', async () => (await rig.engine.state()).held > 0);
    const activity = (verb: string, ...options: string[]) =>
      temporalCli(['activity', verb, '-w', 'operated', '-a', 'debate-i0-heldout-s000', ...options]);
    await activity('pause');
    const temporal = {
      client: rig.client,
      address: '',
      namespace: 'workflows',
      close: async () => undefined,
    };
    await until('it is shown as paused', async () => {
      const { pending } = await readSnapshot(temporal, 'operated');
      return pending.some(({ pausedBy }) => pausedBy?.startsWith('temporal-cli'));
    });
    await rig.engine.tell({ release: true });
    await activity('unpause');
    await handle.result();
  });

  it('that has another type fails at once, naming the types that there are', async () => {
    const handle = await rig.client.workflow.start('expermient', {
      workflowId: 'misnamed',
      taskQueue: taskQueues.control,
    });
    expect(await failureOf(handle)).toMatchObject({
      type: 'UnknownWorkflowType',
      message: expect.stringMatching(/"expermient".*"experiment" and "study"/),
    });
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
    await reached(handle, beforeEvaluation);
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
    // From the last decision on, also while it measures transfer, more are refused: see updates.test.ts.
    expect(await handle.query(progressQuery)).toMatchObject({ finishing: true });
  });

  it('is cancelled cleanly, and started again asks only for what is missing', async () => {
    const input = { seed: 21, task: { train_size: 96, test_size: 48 } };
    const before = (await asked()).length;
    const handle = await rig.start('cancelled', input);
    await reached(handle, beforeEvaluation);
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

  it('passes the store in which it was begun to each step but the first', async () => {
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
