import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { trackersOf } from '../../src/config/names.ts';
import { experimentDifference, resolveConfig } from '../../src/config/resolve.ts';
import { emit } from '../../src/observe/events.ts';
import { followExperiments } from '../../src/observe/trackers/live.ts';
import { eventFile } from '../../src/observe/trackers/files.ts';
import { nothingKnown, track, trackersBehind, writeMetrics } from '../../src/observe/trackers/track.ts';
import {
  flatSettings,
  lineId,
  type Metrics,
  type Tracker,
  TrackerFailed,
  trackio,
} from '../../src/observe/trackers/tracker.ts';
import { setAside, writeBytes } from '../../src/store/blobs.ts';
import { writeRows } from '../../src/store/files/rows.ts';
import { experimentFiles, openStore, type Store } from '../../src/store/store.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';
import { expectOneRun, mlflowKeepsOneRun, runsOf, sendToMlflow } from './mlflow-runs.ts';
import { type StandIn, startMlflowStandIn } from './mlflow-stand-in.ts';
import { addEvaluation, addIteration, beginExperiment, stepsOfModel } from './tracked-experiment.ts';

let folder: string;
let store: Store;
beforeEach(() => {
  folder = scratchFolder();
  store = openStore(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Keeps what it is sent by the lines' ids, as a tracker does; or fails. */
function keepingTracker() {
  const kept = new Map<string, number>();
  const state = { down: false, sends: 0 };
  const tracker: Tracker = {
    where: 'here',
    takesLines: true,
    async send({ lines }, had) {
      state.sends += 1;
      if (state.down)
        throw new TrackerFailed('mlflow', 'http://tracker gives no answer (ECONNREFUSED)', 'It waits.');
      for (const line of lines)
        if (!had.has(lineId(line))) kept.set(lineId(line), (kept.get(lineId(line)) ?? 0) + 1);
    },
  };
  return { kept, state, tracker };
}

const signal = new AbortController().signal;
const text = async (files: ReturnType<typeof experimentFiles>): Promise<string> =>
  String(await files.metrics.blobs.get(files.metrics.name));

describe('metrics.jsonl', () => {
  it('has the same bytes when it is made again, and also when it was lost', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    await writeMetrics(files);
    const first = await text(files);
    await files.metrics.blobs.remove(files.metrics.name);
    await writeMetrics(files);
    expect(await text(files)).toBe(first);
  });

  it('only gets longer as the experiment goes on', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    await writeMetrics(files);
    const first = await text(files);
    await addIteration(files, 2);
    await writeMetrics(files);
    const second = await text(files);
    expect(second.startsWith(first)).toBe(true);
    expect(second.length).toBeGreaterThan(first.length);
  });

  it('counts the optimiser steps of a model on over the iterations, and has iterations as the step of all else', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    await addIteration(files, 2);
    const { lines } = await writeMetrics(files);
    const losses = lines.filter(({ metrics }) => 'loss/agent-1-critic' in metrics).map(({ step }) => step);
    expect(losses).toEqual([1, 2, 3, 4, 5, 6, 7, 8].slice(0, 2 * stepsOfModel));
    const evaluated = lines.filter(({ metrics }) => 'accuracy/debate' in metrics);
    expect(evaluated.map(({ step, seconds }) => [step, seconds])).toEqual([
      [0, 5],
      [1, 20],
      [2, 35],
    ]);
    expect(evaluated[1]?.metrics).toMatchObject({ 'accuracy/debate': 0.5625, 'versus_base/saved': 1 });
    expect(evaluated[1]?.metrics['accuracy/debate_low']).toBeLessThan(0.5625);
  });

  it('has names that every tracker takes, and finite numbers alone', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    const { lines } = await writeMetrics(files);
    for (const [name, value] of lines.flatMap(({ metrics }) => Object.entries(metrics))) {
      expect(name).toMatch(/^[\w./-]+$/);
      expect(Number.isFinite(value)).toBe(true);
    }
  });

  it('says to which study or series the experiment belongs', async () => {
    const group = async (name: string, settings: object) =>
      (await writeMetrics(await beginExperiment(store, name, settings))).run.group;
    expect(await group('laptop-sums-star-s0', { shared_answers: 'laptop.sums' })).toBe('laptop');
    expect(await group('night-1', { carry_over: { series: 'nightly' } })).toBe('nightly');
    expect(await group('alone', {})).toBeNull();
  });
});

describe('report_to', () => {
  it('is a tracker, a list of them or none, and is no difference between experiments', () => {
    expect(trackersOf(resolveConfig({ report_to: 'mlflow' }))).toEqual(['mlflow']);
    expect(trackersOf(resolveConfig({ report_to: ['tensorboard', 'trackio'] }))).toEqual([
      'trackio',
      'tensorboard',
    ]);
    expect(trackersOf(resolveConfig({ report_to: 'none' }))).toEqual([]);
    expect(trackersOf(resolveConfig({}))).toEqual([]);
    expect(() => resolveConfig({ report_to: 'comet' })).toThrow(/report_to/);
    expect(experimentDifference(resolveConfig({}), resolveConfig({ report_to: 'mlflow' }))).toEqual([]);
    expect(resolveConfig({})).not.toHaveProperty('report_to');
  });
});

describe('a process that follows an experiment', () => {
  it('reads a document once, and the training logs of what is being trained again', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    await addIteration(files, 2);
    const known = nothingKnown();
    const all = await writeMetrics(files, known);
    const read: string[] = [];
    const blobs = { ...store.blobs, get: (name: string) => (read.push(name), store.blobs.get(name)) };
    const watched = experimentFiles({ ...openStore(folder, blobs) }, 'demo');
    expect((await writeMetrics(watched, known)).lines).toEqual(all.lines);
    expect(read.filter((name) => name.includes('/iteration-'))).toEqual([]);
    await writeRows(files.tracked.losses(3, 'agent-1-critic'), [{ step: 1, loss: 2 }]);
    await addEvaluation(files, 3);
    const added = await writeMetrics(watched, known);
    expect(added.lines.length).toBe(all.lines.length + 2);
    await writeRows(files.tracked.losses(3, 'agent-1-critic'), [
      { step: 1, loss: 2 },
      { step: 2, loss: 1.5 },
    ]);
    expect((await writeMetrics(watched, known)).lines.length).toBe(added.lines.length + 1);
    expect(read.some((name) => /\/iteration-[012]\//.test(name))).toBe(false);
    // The same as one that has read all of it again.
    expect((await writeMetrics(watched, known)).lines).toEqual((await writeMetrics(files)).lines);
  });

  it('reads again what was damaged and is made again, and what a finished iteration gets later', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    await addIteration(files, 2);
    const known = nothingKnown();
    await writeMetrics(files, known);
    await setAside(files.evaluation(1));
    await addEvaluation(files, 1, 0.25);
    expect((await writeMetrics(files, known)).lines).toEqual((await writeMetrics(files)).lines);
    const evaluation = await files.folder.blobs.get(files.evaluation(2).name);
    await writeBytes(files.evaluation(1, 'distilled'), evaluation ?? '');
    const { lines } = await writeMetrics(files, known);
    expect(lines.map(({ key }) => key)).toContain('iteration-1/distilled');
  });
});

describe('a tracker', () => {
  it('has each line once, however often the metrics are sent', async () => {
    const files = await beginExperiment(store, 'demo');
    const { tracker, kept } = keepingTracker();
    const known = nothingKnown();
    await track(files, new Map([['mlflow', tracker]]), signal, known);
    await addIteration(files, 1);
    await track(files, new Map([['mlflow', tracker]]), signal, known);
    await track(files, new Map([['mlflow', tracker]]), signal, known);
    expect(kept.size).toBe((await writeMetrics(files)).lines.length);
    expect([...kept.values()].every((times) => times === 1)).toBe(true);
  });

  it('that is down is noted with the experiment until it has caught up', async () => {
    const files = await beginExperiment(store, 'demo');
    const { tracker, state } = keepingTracker();
    const trackers = new Map([['mlflow', tracker] as const]);
    state.down = true;
    expect(await track(files, trackers, signal)).toMatchObject([
      { problem: expect.stringContaining('ECONNREFUSED') },
    ]);
    expect(await trackersBehind(files)).toEqual([
      expect.stringMatching(
        /^The tracker mlflow has been behind since .*ECONNREFUSED[^]*colloquy track demo --to mlflow$/,
      ),
    ]);
    state.down = false;
    await track(files, trackers, signal);
    expect(await trackersBehind(files)).toEqual([]);
  });
});

describe('a worker', () => {
  const step = { experiment: 'demo', step: 'evaluate-i1', attempt: 1, kind: 'evaluate' };
  const lossOf = (number: number, loss: number) =>
    emit('fine-tune step', {
      experiment: 'demo',
      iteration: 1,
      agent: 1,
      role: 'critic',
      step: number,
      totalSteps: 4,
      loss,
      tokensPerSecond: 1,
    });
  const logged: string[] = [];
  const say = (_: unknown, message?: string): void => void logged.push(message ?? '');
  const log = { info: say, warn: say } as unknown as Parameters<typeof followExperiments>[1];
  const quick = { lossesEveryMs: 5, againAfterMs: 5 };
  beforeEach(() => void logged.splice(0));

  it('sends what is new after a step, and the losses while a model is trained', async () => {
    const files = await beginExperiment(store, 'demo', { report_to: 'mlflow' });
    const { tracker, kept } = keepingTracker();
    const following = followExperiments(store, log, { ...quick, open: () => tracker });
    emit('step finished', step);
    await until('the base model is there', () => kept.size === 1);
    await writeRows(files.dataset(1, 1, 'critic'), []);
    lossOf(1, 2);
    lossOf(2, 1.5);
    await until('the losses are there', () => kept.size === 3);
    // The record has the losses too, of these steps and of others.
    await addIteration(files, 1);
    emit('step finished', step);
    await following.close();
    const { lines } = await writeMetrics(files);
    expect([...kept.keys()].toSorted()).toEqual(lines.map(lineId).toSorted());
    expect(logged).toEqual([]);
  });

  it('keeps the first loss of a step that a trainer repeats after a checkpoint', async () => {
    const files = await beginExperiment(store, 'demo', { report_to: 'mlflow' });
    const { tracker } = keepingTracker();
    const following = followExperiments(store, log, { ...quick, open: () => tracker });
    lossOf(1, 2);
    lossOf(1, 1.75);
    await following.close();
    await addIteration(files, 1, [1.9, 1.5, 1.25, 1]);
    const { lines } = await writeMetrics(files);
    expect(lines.find(({ key }) => key.endsWith('/loss/agent-1-critic/1'))?.metrics).toEqual({
      'loss/agent-1-critic': 2,
    });
  });

  it('says once that a tracker is down, tries it again, and says that it has caught up', async () => {
    const files = await beginExperiment(store, 'demo', { report_to: 'mlflow' });
    const { tracker, state, kept } = keepingTracker();
    state.down = true;
    const following = followExperiments(store, log, { ...quick, open: () => tracker });
    emit('step finished', step);
    await until('it was tried three times', () => state.sends >= 3);
    expect(logged).toEqual(['a tracker is behind: the experiment goes on without it']);
    expect(await trackersBehind(files)).toHaveLength(1);
    state.down = false;
    await until('it has caught up', () => kept.size === 1);
    await until('that is said', () => logged.length === 2);
    await following.close();
    expect(logged.at(-1)).toBe('the tracker has all metrics again');
    expect(await trackersBehind(files)).toEqual([]);
  });

  it('does not wait for a tracker that hangs, beyond a moment at its end', async () => {
    await beginExperiment(store, 'demo', { report_to: 'mlflow' });
    const hanging: Tracker = {
      where: 'here',
      takesLines: true,
      send: (_, __, stop) =>
        new Promise((_resolve, reject) => {
          const end = () => reject(new TrackerFailed('mlflow', 'hangs', 'Wait.'));
          // On a busy machine the worker may have ended before.
          if (stop.aborted) end();
          else stop.addEventListener('abort', end);
        }),
    };
    const following = followExperiments(store, log, { ...quick, open: () => hanging, lastMs: 20 });
    emit('step finished', step);
    await following.close();
    expect(await trackersBehind(experimentFiles(store, 'demo'))).toHaveLength(1);
  });

  it('writes nothing for an experiment whose config names no tracker', async () => {
    const files = await beginExperiment(store, 'demo');
    const before = await store.blobs.list('demo/');
    const following = followExperiments(store, log, quick);
    emit('step finished', step);
    lossOf(1, 2);
    await following.close();
    expect(await store.blobs.list('demo/')).toEqual(before);
    expect(await trackersBehind(files)).toEqual([]);
  });
});

describe('MLflow', () => {
  let server: StandIn;
  beforeEach(async () => void (server = await startMlflowStandIn()));
  afterEach(() => server.close());
  mlflowKeepsOneRun(() => ({ store, url: server.url }));

  it('has its own words told when it goes on refusing', async () => {
    const files = await beginExperiment(store, 'full');
    await addIteration(files, 1);
    expect(await sendToMlflow(files, server.url)).toContain('the disk is full');
    const [there] = await runsOf(server.url, 'full');
    expect(there?.data.params).toHaveLength(10);
  });

  it('has all settings after it refused those that another worker sent at the same moment', async () => {
    const files = await beginExperiment(store, 'refused');
    await addIteration(files, 1);
    expect(await sendToMlflow(files, server.url)).toBeNull();
    const { run } = await writeMetrics(files);
    const [there] = await runsOf(server.url, 'refused');
    expect(there?.data.params).toHaveLength(Object.keys(flatSettings(run.config)).length);
    await expectOneRun(server.url, files);
  });
});

describe('Trackio', () => {
  it('gets each line under an id of its own, and a refusal is told without the key', async () => {
    const files = await beginExperiment(store, 'demo');
    await addIteration(files, 1);
    const metrics = await writeMetrics(files);
    const ids: string[] = [];
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        ids.push(...(JSON.parse(body) as { logs: { log_id: string }[] }).logs.map(({ log_id }) => log_id));
        response.writeHead(
          ids.length > 0 && request.headers['x-trackio-write-token'] === 'sesame-1' ? 200 : 400,
        );
        response.end(`no: ${String(request.headers['x-trackio-write-token'])}`);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await trackio({ TRACKIO_SERVER_URL: `${url}/?write_token=sesame-1` }).send(metrics, new Set(), signal);
      expect(new Set(ids).size).toBe(metrics.lines.length);
      const wrong = trackio({ TRACKIO_SERVER_URL: url, TRACKIO_WRITE_TOKEN: 'sesame-2' });
      const failure = await wrong.send(metrics, new Set(), signal).catch(String);
      expect(failure).toContain('400');
      expect(failure).toContain('[key]');
      expect(failure).not.toContain('sesame');
    } finally {
      server.close();
    }
  });

  it('is not set up without an address', () => {
    expect(() => trackio({})).toThrow(/TRACKIO_SERVER_URL is not set/);
    expect(() => trackio({ TRACKIO_SERVER_URL: 'there' })).toThrow(/TRACKIO_SERVER_URL is no address/);
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

describe("TensorBoard's file", () => {
  it('has the same bytes for the same metrics, and begins as one of version 2', async () => {
    const files = await beginExperiment(store, 'demo');
    const metrics: Metrics = await writeMetrics(files);
    expect(eventFile(metrics)).toEqual(eventFile(await writeMetrics(files)));
    expect(eventFile(metrics).subarray(0, 64).toString('latin1')).toContain('brain.Event:2');
    await addEvaluation(files, 1);
    expect(eventFile(await writeMetrics(files)).subarray(0, eventFile(metrics).length)).toEqual(
      eventFile(metrics),
    );
  });
});
