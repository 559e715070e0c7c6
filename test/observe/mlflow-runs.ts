/** What an MLflow server has of an experiment, and the promise that has to hold on any: one run, with each point once. */
import { expect, it } from 'vitest';
import { mlflow } from '../../src/observe/trackers/mlflow.ts';
import { track, writeMetrics } from '../../src/observe/trackers/track.ts';
import type { Metrics } from '../../src/observe/trackers/tracker.ts';
import type { ExperimentFiles, Store } from '../../src/store/store.ts';
import { addIteration, beginExperiment } from './tracked-experiment.ts';

export type MlflowRun = {
  readonly info: { readonly run_id: string; readonly status: string };
  readonly data: {
    readonly params?: readonly unknown[];
    readonly tags: readonly { key: string; value: string }[];
  };
};

async function ask(url: string, path: string, body?: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  return (await fetch(`${url}/api/2.0/mlflow/${path}`, init)).json();
}

/** All runs that are shown. */
export async function runsOf(url: string, experiment: string): Promise<readonly MlflowRun[]> {
  const filter = `tags."colloquy.experiment" = '${experiment}'`;
  const found = await ask(url, 'runs/search', { experiment_ids: ['1'], filter });
  return (found as { runs?: MlflowRun[] }).runs ?? [];
}

/** Every point that the experiment's first run has. */
export async function pointsThere(url: string, experiment: string, metrics: Metrics): Promise<string[]> {
  const [run] = await runsOf(url, experiment);
  const names = new Set(metrics.lines.flatMap((line) => Object.keys(line.metrics)));
  const found: string[] = [];
  for (const metric of names) {
    const query = new URLSearchParams({ run_id: run?.info.run_id ?? '', metric_key: metric });
    const history = (await ask(url, `metrics/get-history?${query}`)) as {
      metrics?: { step: number; value: number }[];
    };
    for (const { step, value } of history.metrics ?? []) found.push(`${metric} ${step} ${value}`);
  }
  return found.toSorted();
}

/** Every number of every line: how often a tracker may have it. */
export function pointsIn({ lines }: Metrics): string[] {
  return lines
    .flatMap(({ step, metrics }) =>
      Object.entries(metrics).map(([name, value]) => `${name} ${step} ${value}`),
    )
    .toSorted();
}

/**
 * Sends as a process that has sent nothing before, and again where a busy server lets it wait for more than its ten seconds, as a worker does.
 *
 * @returns why it failed
 */
export async function sendToMlflow(files: ExperimentFiles, url: string): Promise<string | null | undefined> {
  const tracker = mlflow({ MLFLOW_TRACKING_URI: url }, files);
  for (let tries = 1; ; tries++) {
    const [sent] = await track(files, new Map([['mlflow', tracker]]), new AbortController().signal);
    if (tries === 10 || sent?.problem?.includes('ECONNABORTED') !== true) return sent?.problem;
  }
}

export async function expectOneRun(url: string, files: ExperimentFiles): Promise<void> {
  const metrics = await writeMetrics(files);
  const { name } = files.folder;
  const runs = await runsOf(url, name);
  expect(runs, JSON.stringify(runs.map(({ info }) => info))).toHaveLength(1);
  expect(await pointsThere(url, name, metrics)).toEqual(pointsIn(metrics));
}

export function mlflowKeepsOneRun(at: () => { readonly store: Store; readonly url: string }): void {
  const begun = async (name: string): Promise<ExperimentFiles> => {
    const files = await beginExperiment(at().store, name);
    await addIteration(files, 1);
    return files;
  };
  /** A run as a worker makes it. */
  const makeRun = async (files: ExperimentFiles): Promise<void> => {
    const { run } = await writeMetrics(files);
    const tags = { 'colloquy.run': `${run.run}-${run.id}`, 'colloquy.experiment': run.run };
    await ask(at().url, 'experiments/create', { name: 'colloquy' });
    await ask(at().url, 'runs/create', {
      experiment_id: '1',
      start_time: Date.parse(run.begunAt),
      tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
    });
  };

  it('has one run after four workers sent the first metrics at once', async () => {
    const files = await begun('at-once');
    const all = await Promise.all(Array.from({ length: 4 }, () => sendToMlflow(files, at().url)));
    expect(all).toEqual([null, null, null, null]);
    await expectOneRun(at().url, files);
    // Each later sender uses it too.
    expect(await sendToMlflow(files, at().url)).toBeNull();
    await expectOneRun(at().url, files);
  });

  it('takes the run of a worker that was killed before it could say which it had made', async () => {
    const files = await begun('killed-early');
    await makeRun(files);
    const [made] = await runsOf(at().url, 'killed-early');
    expect(await sendToMlflow(files, at().url)).toBeNull();
    await expectOneRun(at().url, files);
    expect((await runsOf(at().url, 'killed-early'))[0]?.info.run_id).toBe(made?.info.run_id);
  });

  it('deletes the run of one that came too late and was killed before it could do so', async () => {
    const files = await begun('killed-late');
    expect(await sendToMlflow(files, at().url)).toBeNull();
    await makeRun(files);
    expect(await runsOf(at().url, 'killed-late')).toHaveLength(2);
    expect(await sendToMlflow(files, at().url)).toBeNull();
    await expectOneRun(at().url, files);
  });

  it('gets a new run, with all points, where a person has deleted it', async () => {
    const files = await begun('deleted');
    const known = { had: new Map(), iterations: new Map(), text: undefined };
    const tracker = mlflow({ MLFLOW_TRACKING_URI: at().url }, files);
    const { signal } = new AbortController();
    await track(files, new Map([['mlflow', tracker]]), signal, known);
    const [run] = await runsOf(at().url, 'deleted');
    await ask(at().url, 'runs/delete', { run_id: run?.info.run_id });
    // The same process, which has sent all of it to the run that is gone.
    expect(await track(files, new Map([['mlflow', tracker]]), signal, known)).toMatchObject([
      { problem: null },
    ]);
    await expectOneRun(at().url, files);
    expect((await runsOf(at().url, 'deleted'))[0]?.info.run_id).not.toBe(run?.info.run_id);
  });
}
