import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tools } from '../../src/config/installation.ts';
import type { TrackerName } from '../../src/config/names.ts';
import { tensorboard, wandb } from '../../src/observe/trackers/files.ts';
import { mlflow } from '../../src/observe/trackers/mlflow.ts';
import { track, writeMetrics } from '../../src/observe/trackers/track.ts';
import { type Tracker, trackio } from '../../src/observe/trackers/tracker.ts';
import { type ExperimentFiles, openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import {
  expectOneRun,
  mlflowKeepsOneRun,
  pointsIn,
  pointsThere,
  runsOf,
  sendToMlflow,
} from '../observe/mlflow-runs.ts';
import { addIteration, beginExperiment } from '../observe/tracked-experiment.ts';
import { python, pythonSays, type RealServer, startMlflow, startTrackio } from './real-trackers.ts';

let folder: string;
let store: Store;
beforeAll(() => {
  folder = temporaryFolder();
  store = openStore(join(folder, 'runs'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;

async function experiment(name: string): Promise<ExperimentFiles> {
  const files = await beginExperiment(store, name, { shared_answers: `study.${name}` });
  await addIteration(files, 1);
  return files;
}

/** Sends as a process that has sent nothing before. @returns why it failed */
async function send(
  files: ExperimentFiles,
  name: TrackerName,
  tracker: Tracker,
): Promise<string | null | undefined> {
  const [sent] = await track(files, new Map([[name, tracker]]), signal);
  return sent?.problem;
}

describe('Trackio', () => {
  const token = 'the-token-of-these-tests';
  let server: RealServer;
  let tracker: Tracker;
  beforeAll(async () => {
    server = await startTrackio(join(folder, 'trackio'), token);
    tracker = trackio({ TRACKIO_SERVER_URL: server.url, TRACKIO_WRITE_TOKEN: token });
  });
  afterAll(() => server?.kill());

  const there = async (run: string): Promise<string[]> => {
    const response = await fetch(`${server.url}/api/get_logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ project: 'colloquy', run }),
    });
    const { data } = (await response.json()) as { data: Record<string, unknown>[] };
    return data
      .flatMap(({ step, timestamp: _time, ...metrics }) =>
        Object.entries(metrics).map(([name, value]) => `${name} ${String(step)} ${String(value)}`),
      )
      .toSorted();
  };

  it('has each point once after the same metrics were sent twice, and the new ones after more', async () => {
    const files = await experiment('twice');
    for (let time = 0; time < 2; time++) expect(await send(files, 'trackio', tracker)).toBeNull();
    expect(await there('twice')).toEqual(pointsIn(await writeMetrics(files)));
    await addIteration(files, 2);
    expect(await send(files, 'trackio', tracker)).toBeNull();
    expect(await there('twice')).toEqual(pointsIn(await writeMetrics(files)));
  });

  it('refuses another token, and what it says is noted without it', async () => {
    const files = await experiment('refused');
    const wrong = trackio({ TRACKIO_SERVER_URL: server.url, TRACKIO_WRITE_TOKEN: 'sesame' });
    const problem = await send(files, 'trackio', wrong);
    expect(problem).toMatch(/refuses the metrics \(400/);
    expect(problem).not.toContain('sesame');
  });

  it('gets the rest when it is back after a kill', async () => {
    const files = await experiment('killed');
    await server.kill();
    expect(await send(files, 'trackio', tracker)).toContain('ECONNREFUSED');
    await server.start();
    expect(await send(files, 'trackio', tracker)).toBeNull();
    expect(await there('killed')).toEqual(pointsIn(await writeMetrics(files)));
  });
});

describe('MLflow', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await startMlflow(join(folder, 'mlflow'));
  });
  afterAll(() => server?.kill());

  mlflowKeepsOneRun(() => ({ store, url: server.url }));

  it('has one run and each point once after two processes raced for it, time after time', async () => {
    const racer = fileURLToPath(new URL('mlflow-racer.ts', import.meta.url));
    for (let race = 1; race <= 8; race++) {
      const files = await experiment(`race-${race}`);
      const racers = [1, 2].map(() =>
        spawn(process.execPath, ['--import', 'tsx', racer, store.root, `race-${race}`, server.url], {
          stdio: ['pipe', 'pipe', 'inherit'],
        }),
      );
      const said = racers.map((each) => createInterface({ input: each.stdout })[Symbol.asyncIterator]());
      for (const each of said) expect((await each.next()).value).toBe('ready');
      for (const each of racers) each.stdin.end('go');
      for (const each of said) expect((await each.next()).value).toBe('null');
      await expectOneRun(server.url, files);
    }
  });

  it('has the settings and the group', async () => {
    const files = await experiment('settings');
    expect(await sendToMlflow(files, server.url)).toBeNull();
    const [run] = await runsOf(server.url, 'settings');
    expect(run?.data.tags).toContainEqual({ key: 'colloquy.group', value: 'study.settings' });
    expect(run?.data.params).toContainEqual({ key: 'fine_tune.learning_rate', value: '0.0008' });
  });

  it('has each point once also where the times are others, as when records were made again', async () => {
    const files = await experiment('later');
    expect(await sendToMlflow(files, server.url)).toBeNull();
    const { run, lines, finished } = await writeMetrics(files);
    const later = { run, finished, lines: lines.map((line) => ({ ...line, seconds: line.seconds + 60 })) };
    await mlflow({ MLFLOW_TRACKING_URI: server.url }, files).send(later, new Set(), signal);
    expect(await pointsThere(server.url, 'later', later)).toEqual(pointsIn(later));
  });

  it('gets the rest when it is back after a kill, and more iterations after the end', async () => {
    const files = await experiment('killed');
    expect(await sendToMlflow(files, server.url)).toBeNull();
    await server.kill();
    await addIteration(files, 2);
    expect(await sendToMlflow(files, server.url)).toContain('ECONNREFUSED');
    await server.start();
    expect(await sendToMlflow(files, server.url)).toBeNull();
    await expectOneRun(server.url, files);
  });
});

describe('TensorBoard', () => {
  it('reads each point once after the file was written twice, and the settings', async () => {
    const files = await experiment('board');
    for (let time = 0; time < 2; time++)
      expect(await send(files, 'tensorboard', tensorboard(files))).toBeNull();
    const read = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
found = {tag: [[point.step, point.value] for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
[config] = events.Tensors("config/text_summary" if "config/text_summary" in events.Tags()["tensors"] else "config")
print(json.dumps([found, config.tensor_proto.string_val[0].decode()]))`;
    const said = pythonSays(read, dirname(tensorboard(files).where)) as [
      Record<string, [number, number][]>,
      string,
    ];
    const { lines } = await writeMetrics(files);
    const expected: Record<string, [number, number][]> = {};
    for (const { step, metrics } of lines)
      for (const [name, value] of Object.entries(metrics))
        (expected[name] ??= []).push([step, Math.fround(value)]);
    expect(said[0]).toEqual(expected);
    expect(said[1]).toContain('fine_tune.learning_rate: 0.0008');
  });
});

describe('Weights & Biases', () => {
  const histories = (run: string): Record<string, unknown>[] =>
    execFileSync(join(dirname(python), 'wandb'), ['leet', 'inspect', '--json', run], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('"type":"history"'))
      .map((line) => (JSON.parse(line) as { history: { item: Record<string, unknown> } }).history.item);

  it('has one run in its folder after the metrics were given twice, with each line once', async () => {
    const files = await experiment('offline');
    const environment = {
      COLLOQUY_WANDB_PYTHON: python,
      WANDB_MODE: 'offline',
      WANDB_DIR: join(folder, 'offline'),
    };
    for (let time = 0; time < 2; time++)
      expect(await send(files, 'wandb', wandb(store, files, environment))).toBeNull();
    const runs = readdirSync(join(folder, 'offline', 'wandb')).filter((name) =>
      name.startsWith('offline-run-'),
    );
    expect(runs).toHaveLength(1);
    const [run = ''] = runs;
    const file =
      readdirSync(join(folder, 'offline', 'wandb', run)).find((name) => name.endsWith('.wandb')) ?? '';
    const { lines } = await writeMetrics(files);
    const found = histories(join(folder, 'offline', 'wandb', run, file));
    expect(found).toHaveLength(lines.length);
    for (const [at, { metrics }] of lines.entries()) expect(found[at]).toMatchObject(metrics);
    // Neither this machine's name nor its command lines are in it.
    expect(readFileSync(join(folder, 'offline', 'wandb', run, file)).includes('track_wandb.py')).toBe(false);
  });

  it('says that the package is missing where it is', async () => {
    const files = await experiment('missing');
    const problem = await send(
      files,
      'wandb',
      // The engine's own Python, which has no wandb.
      wandb(store, files, { COLLOQUY_WANDB_PYTHON: tools().python }),
    );
    expect(problem).toContain('COLLOQUY_WANDB_PYTHON');
  });

  describe('at a server', () => {
    const scratchFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('colloquy-wandb-'));
    /** By run: the lines of its history, by their offset, as W&B keeps them. */
    const kept = new Map<string, string[]>();
    let server: Server;
    let url: string;
    /** Takes all requests and answers none. */
    let silent = false;
    beforeAll(async () => {
      server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          if (silent) return;
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify(answerTo(request.url ?? '', Buffer.concat(chunks).toString('utf8'))));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => server?.close());

    function answerTo(path: string, body: string): object {
      const run = /\/files\/[^/]+\/[^/]+\/([^/]+)\/file_stream/.exec(path)?.[1];
      // Uploaded files, and what the client measures of itself, are of other forms.
      if (run === undefined && path !== '/graphql') return {};
      const given = body === '' ? {} : (JSON.parse(body) as Record<string, unknown>);
      if (run !== undefined) {
        const files = (given['files'] ?? {}) as Record<string, { offset: number; content: string[] }>;
        const history = files['wandb-history.jsonl'];
        const lines = kept.get(run) ?? [];
        for (const [index, line] of (history?.content ?? []).entries())
          lines[(history?.offset ?? 0) + index] = line;
        kept.set(run, lines);
        return {};
      }
      const query = typeof given['query'] === 'string' ? given['query'] : '';
      const variables = (given['variables'] ?? {}) as Record<string, string>;
      if (query.includes('RunResumeStatus')) return { data: { model: null } };
      if (query.includes('UpsertBucket')) {
        const name = variables['name'] ?? 'run';
        const project = { name: 'colloquy', entity: { name: 'me' } };
        return {
          data: { upsertBucket: { bucket: { id: name, name, displayName: name, project }, inserted: true } },
        };
      }
      if (query.includes('CreateRunFiles')) {
        const files = (variables['files'] ?? []) as unknown as string[];
        const made = files.map((name) => ({ name, uploadUrl: `${url}/upload/${name}` }));
        return { data: { createRunFiles: { runID: 'x', uploadHeaders: [], files: made } } };
      }
      return { data: {} };
    }

    it('takes the place of what the server had of the run', async () => {
      const files = await experiment('online');
      const environment = {
        COLLOQUY_WANDB_PYTHON: python,
        WANDB_BASE_URL: url,
        WANDB_API_KEY: 'k'.repeat(40),
      };
      for (let time = 0; time < 2; time++)
        expect(await send(files, 'wandb', wandb(store, files, environment))).toBeNull();
      const { lines } = await writeMetrics(files);
      expect(kept.size).toBe(1);
      expect([...kept.values()][0]).toHaveLength(lines.length);
    });

    it('that never answers is given up after a while, with nothing left of the client', async () => {
      const files = await experiment('silent');
      const environment = {
        COLLOQUY_WANDB_PYTHON: python,
        WANDB_BASE_URL: url,
        WANDB_API_KEY: 'k'.repeat(40),
      };
      silent = true;
      const before = scratchFolders();
      const problem = await send(files, 'wandb', wandb(store, files, environment, 20));
      silent = false;
      expect(problem).toContain(`${url} has not taken the run within 20 s`);
      expect(problem).toContain('WANDB_MODE=offline');
      expect(scratchFolders()).toEqual(before);
    });
  });
});
