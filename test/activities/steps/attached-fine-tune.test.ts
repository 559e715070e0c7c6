/** The step that has a trainer make a model, on a trainer that a test plays. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import {
  activity,
  type Attempted,
  type Dependencies,
  heartbeating,
} from '../../../src/activities/activity.ts';
import { type FineTuned, fineTune, remakeModel } from '../../../src/activities/steps/fine-tune.ts';
import type { TrainerProgress } from '../../../src/config/contract.ts';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { FineTuneStopped } from '../../../src/engines/trainer/errors.ts';
import { trainerAbilities } from '../../../src/config/trainers.ts';
import type { Trainer } from '../../../src/engines/trainer/trainer.ts';
import { onEvent } from '../../../src/observe/events.ts';
import { writeDocument } from '../../../src/store/files/documents.ts';
import { refOf, sealPlace, writeSealed } from '../../../src/store/files/sealed.ts';
import { manifestOf } from '../../../src/store/models.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { writeModel } from '../../export/exportable-experiment.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { modelNamed } from '../../support/models.ts';
import { smallExperiment } from '../../support/small-experiment.ts';

const started: TrainerProgress = {
  event: 'started',
  id: 'x',
  total_steps: 2,
  resumed_from_step: 0,
  rows: 12,
  dropped_rows: 3,
};
const step: TrainerProgress = {
  event: 'step',
  id: 'x',
  step: 1,
  total_steps: 2,
  loss: 0.5,
  learning_rate: 1e-3,
  tokens_per_second: 10,
  epoch: 1,
  memory: null,
};

const folder = temporaryFolder();
let worlds = 0;

/** A store with an experiment, and trainers of which the test plays the one that is used. */
async function world(watch: (key: string, stopped: Promise<void>) => AsyncIterable<TrainerProgress>) {
  worlds += 1;
  const store = openStore(join(folder, String(worlds)));
  await writeDocument(experimentFiles(store, 'e').config, resolveConfig(smallExperiment));
  const place = store.place('e/rows.jsonl');
  const dataset = refOf(place, await writeSealed(place, [{ bytes: Buffer.from('{}\n'), rows: 1 }]));
  const calls: string[] = [];
  const trainerNamed = (name: string): Trainer => {
    let stop = (): void => undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    return {
      ...trainsHere,
      check: async () => undefined,
      submit: async (key) => void calls.push(`${name} submit ${key.length}`),
      watch: (key) => watch(key, stopped),
      stop: async (key) => {
        calls.push(`${name} stop ${key.length}`);
        stop();
      },
      close: async () => undefined,
    };
  };
  const trainers = {
    for: (name = 'local') => trainerNamed(name),
    has: (name: string) => ['local', 'big'].includes(name),
    close: async () => undefined,
  };
  const request = {
    experiment: 'e',
    iteration: 1,
    agent: 2,
    role: 'critic',
    dataset,
    init: modelNamed('instant'),
  };
  const dependencies = { store, trainers } as unknown as Dependencies;
  return { store, calls, request, dependencies, finish: (key: string) => writeModel(store, key, 'weights') };
}

/** Runs it as an activity, and returns its heartbeats too. */
async function run(
  { request, dependencies }: Awaited<ReturnType<typeof world>>,
  environment = new MockActivityEnvironment(),
) {
  const shown: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => shown.push(details));
  const step = activity(fineTune, dependencies);
  const result = await environment.run<[typeof request], Attempted<FineTuned>, typeof step>(step, request);
  return { result, shown };
}

describe('a fine-tune', () => {
  it('is submitted, watched, and sealed when its manifest is in the store', async () => {
    const made = await world(async function* (key) {
      yield started;
      yield step;
      made.finish(key);
    });
    const { result } = await run(made);
    expect(result.output).toMatchObject({
      agent: 2,
      role: 'critic',
      trained: true,
      steps: 2,
      finalLoss: 0.25,
    });
    expect(made.calls).toEqual(['local submit 64']);
    const { tuned } = result.output.model;
    expect(existsSync(sealPlace(manifestOf(made.store.model(tuned!.key))).where)).toBe(true);
  });

  it('of which only the events end and no manifest is there is not done', async () => {
    const made = await world(async function* () {
      yield started;
    });
    await expect(run(made)).rejects.toMatchObject({ type: 'ArtifactMissing' });
  });

  it('shows what is needed to attach to it, whose it is and how far it is', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const made = await world(async function* (key) {
      yield started;
      yield step;
      await held;
      made.finish(key);
    });
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', (details: object) => 'loss' in details && release());
    const { result, shown } = await run(made, environment);
    expect(shown.at(-1)).toEqual({
      trainer: 'local',
      key: result.output.model.tuned!.key,
      iteration: 1,
      agent: 2,
      role: 'critic',
      step: 1,
      totalSteps: 2,
      rows: 12,
      droppedRows: 3,
      loss: 0.5,
      tokensPerSecond: 10,
    });
  });

  it('that did not have enough memory says with how many rows at once it goes on, in its heartbeats and in the log', async () => {
    const logged: object[] = [];
    // The log has a line for each (src/observe/log-metrics-traces.ts).
    const stopListening = onEvent('micro-batch', (smaller) => logged.push(smaller));
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const made = await world(async function* (key) {
      yield started;
      yield { event: 'micro_batch', id: 'x', step: 1, rows: 2, gradient_checkpointing: false };
      yield { event: 'micro_batch', id: 'x', step: 1, rows: 1, gradient_checkpointing: true };
      await held;
      made.finish(key);
    });
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', (details: object) => 'microBatch' in details && release());
    const { shown } = await run(made, environment);
    stopListening();
    expect(shown.at(-1)).toMatchObject({ step: 1, totalSteps: 2, microBatch: 1 });
    expect(logged).toMatchObject([
      { iteration: 1, agent: 2, role: 'critic', rows: 2, gradient_checkpointing: false },
      { iteration: 1, agent: 2, role: 'critic', rows: 1, gradient_checkpointing: true },
    ]);
  });

  it('is attached to by the next attempt where the heartbeat says that it runs', async () => {
    const made = await world(async function* (key) {
      yield step;
      made.finish(key);
    });
    const key = await keyOf(made);
    const attempt = (heartbeatDetails: object) =>
      new MockActivityEnvironment({ attempt: 2, heartbeatDetails });
    await run(made, attempt({ trainer: 'big', key }));
    expect(made.calls).toEqual(['big submit 64']);
  });

  it.each([
    ['of another model', { trainer: 'big', key: '0'.repeat(64) }],
    ['of a trainer that the worker no longer has', { trainer: 'gone', key: null }],
    ['of another shape', { step: 3 }],
    ['of an older version', { jobId: 'x', step: 3, totalSteps: 9 }],
    ['of another step', { answers: 3, total: 9, engineBusyUntil: '2026-01-01T00:00:00Z' }],
    ['lost', undefined],
    ['null', null],
    ['a text', 'big'],
    ['a list', ['big', null]],
    ['of numbers where words belong', { trainer: 7, key: 7 }],
    ['of a trainer by a name that every object has', { trainer: 'constructor', key: null }],
  ])('is given to its own trainer when the heartbeat is %s', async (_, details) => {
    const made = await world(async function* (key) {
      yield step;
      made.finish(key);
    });
    const own = typeof details === 'object' && details !== null && 'key' in details && details.key === null;
    const key = own ? await keyOf(made) : undefined;
    const heartbeatDetails: unknown = key === undefined ? details : { ...(details as object), key };
    await run(made, new MockActivityEnvironment({ attempt: 2, heartbeatDetails }));
    expect(made.calls).toEqual(['local submit 64']);
  });

  it('that is cancelled stops its job, and ends after the job has stopped', async () => {
    const made = await world(async function* (_, stopped) {
      yield started;
      environment.cancel('CANCELLED');
      await stopped;
      yield { event: 'checkpoint', id: 'x', step: 1, path: '/c' };
      throw new FineTuneStopped('x');
    });
    const environment = new MockActivityEnvironment();
    await expect(run(made, environment)).rejects.toMatchObject({ name: 'CancelledFailure' });
    expect(made.calls).toEqual(['local submit 64', 'local stop 64']);
  });
});

describe('a fine-tune that others want too', () => {
  it('is submitted again when another attempt has stopped its job', async () => {
    let stops = 0;
    const made = await world(async function* (key) {
      yield started;
      stops += 1;
      if (stops === 1) throw new FineTuneStopped('x');
      made.finish(key);
    });
    const { result } = await run(made);
    expect(result.output.trained).toBe(true);
    expect(made.calls).toEqual(['local submit 64', 'local submit 64']);
  });
});

describe('a fine-tune of a base model whose weights have changed', () => {
  it('is refused before anything is trained', async () => {
    const made = await world(async function* () {});
    const { base } = made.request.init;
    const request = { ...made.request, init: { base: { ...base, weights: 'others' }, tuned: null } };
    await expect(run({ ...made, request })).rejects.toMatchObject({ type: 'BaseModelChanged' });
    expect(made.calls).toEqual([]);
  });
});

describe('a model that is made again', () => {
  it('has to be the same one: it is refused where its request now leads to another model', async () => {
    const made = await world(async function* () {});
    const key = 'e'.repeat(64);
    await writeDocument(made.store.modelRequest(key), made.request);
    const again = activity(remakeModel, made.dependencies);
    const environment = new MockActivityEnvironment();
    await expect(environment.run(again, { key })).rejects.toMatchObject({ type: 'ModelCannotBeRemade' });
    expect(made.calls).toEqual([]);
  });
});

describe('the heartbeats of a step', () => {
  it('keep what the attempt before showed until there is something new', async () => {
    const shown: unknown[] = [];
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', (details: unknown) => shown.push(details));
    await environment.run(() => heartbeating(async () => undefined, { trainer: 'big', key: 'k' }));
    expect(shown).toEqual([{ trainer: 'big', key: 'k' }]);
  });
});

/** What a trainer of kind `process` says of itself. */
const trainsHere = { ...trainerAbilities('local', { kind: 'process' }), outlivesWorker: false };

/** The key of the request's model, from a run on a store of its own. */
async function keyOf({ store, request, dependencies }: Awaited<ReturnType<typeof world>>): Promise<string> {
  let seen = '';
  const spy: Trainer = {
    ...trainsHere,
    check: async () => undefined,
    submit: async (key) => {
      seen = key;
      throw new Error('only the key is wanted');
    },
    watch: () => expect.unreachable(),
    stop: async () => undefined,
    close: async () => undefined,
  };
  const trainers = { for: () => spy, has: () => true, close: async () => undefined };
  const running = { signal: new AbortController().signal, show: () => undefined, attempt: 1 };
  await fineTune(request, { ...dependencies, store, trainers }, running).catch(() => undefined);
  return seen;
}
