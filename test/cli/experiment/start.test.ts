import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Experiment } from '../../../src/cli/arguments.ts';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { connect, type Temporal } from '../../../src/cli/server/connect.ts';
import {
  NoWorker,
  noWorkerHint,
  Refused,
  sendUpdate,
  unservedQueues,
} from '../../../src/cli/server/workflow.ts';
import { readSnapshot } from '../../../src/cli/experiment/snapshot.ts';
import { ExperimentHasOtherConfig, startExperiment } from '../../../src/cli/experiment/run.ts';
import { writeDocument } from '../../../src/store/files/documents.ts';
import { pauseUpdate } from '../../../src/workflows/progress.ts';
import { writeFinishedExperiment } from '../../report/finished-experiment.ts';
import { temporalAddress } from '../../setup/temporal-address.ts';
import { placeAt } from '../../support/places.ts';

/** Nobody works on the queue: an experiment stays as the server has it. */
describe('starting an experiment', () => {
  let store: string;
  let temporal: Temporal;

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'colloquy-start-'));
    vi.stubEnv('COLLOQUY_STORE', store);
    vi.stubEnv('TEMPORAL_ADDRESS', await temporalAddress());
    // Of its own, so that no worker of another test takes these experiments up.
    vi.stubEnv('TEMPORAL_NAMESPACE', 'cli-start');
    temporal = await connect();
    await temporal.client.workflowService.registerNamespace({
      namespace: 'cli-start',
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    // A new namespace is known everywhere after a moment.
    await vi.waitFor(
      () =>
        temporal.client.workflowService.describeTaskQueue({
          namespace: 'cli-start',
          taskQueue: { name: 'colloquy' },
        }),
      15_000,
    );
  });
  afterAll(async () => {
    await temporal.close();
    vi.unstubAllEnvs();
    await rm(store, { recursive: true, force: true });
  });

  const experiment = (name: string, input: Record<string, unknown> = {}): Experiment => ({
    name,
    input,
    config: resolveConfig(input),
  });
  const end = (name: string) => temporal.client.workflow.getHandle(name).terminate('test');
  const prepared = async ({ name, config }: Experiment) => {
    await mkdir(join(store, name), { recursive: true });
    await writeDocument(placeAt(join(store, name, 'config.json')), config);
  };

  it('starts it once and attaches afterwards', async () => {
    const demo = experiment('demo');
    expect(await startExperiment(temporal, demo)).toEqual({ kind: 'started' });
    expect(await startExperiment(temporal, demo)).toEqual({ kind: 'attached' });
    expect(await readSnapshot(temporal, 'demo')).toMatchObject({
      status: 'RUNNING',
      progress: null,
      pending: [],
    });
  });

  it('gives the workflow the input as it is, not resolved', async () => {
    const input = { preset: 'quickstart', iterations: 2 };
    await startExperiment(temporal, experiment('as-given', input));
    const { events } = await temporal.client.workflow.getHandle('as-given').fetchHistory();
    const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
    expect(JSON.parse(Buffer.from(payload!).toString())).toEqual(input);
  });

  it('goes on after a failure or a cancellation', async () => {
    const broken = experiment('broken');
    await startExperiment(temporal, broken);
    await prepared(broken);
    await end('broken');
    expect(await startExperiment(temporal, broken)).toEqual({ kind: 'continued' });
  });

  it('refuses another config for a name that runs, saying what differs', async () => {
    const first = experiment('taken');
    await startExperiment(temporal, first);
    await prepared(first);
    const other = startExperiment(temporal, experiment('taken', { seed: 7, iterations: 9 }));
    await expect(other).rejects.toThrow(ExperimentHasOtherConfig);
    await expect(other).rejects.toThrow(/seed: 0 there, 7 here[\s\S]*set-iterations taken 9/);
  });

  it('does not run what has finished', async () => {
    const done = experiment('done', { iterations: 2 });
    const result = await writeFinishedExperiment(join(store, 'done'), {
      name: 'done',
      questions: 32,
      iterations: 2,
      config: done.config,
    });
    expect(await startExperiment(temporal, done)).toEqual({ kind: 'finished', result });
  });

  it('goes on with what has finished when its result is damaged, which is then made again', async () => {
    const harmed = experiment('harmed');
    const { config } = harmed;
    await writeFinishedExperiment(join(store, 'harmed'), {
      name: 'harmed',
      questions: 32,
      iterations: 3,
      config,
    });
    await writeFile(join(store, 'harmed', 'result.json'), '{"x');
    expect(await startExperiment(temporal, harmed)).toEqual({ kind: 'continued' });
    await end('harmed');
  });

  it('goes on with what has finished when more iterations are wanted', async () => {
    const more = experiment('done', { iterations: 4 });
    expect(await startExperiment(temporal, more)).toEqual({ kind: 'continued' });
    await end('done');
  });

  it('refuses another config for a name that has finished', async () => {
    const other = startExperiment(temporal, experiment('done', { iterations: 4, seed: 3 }));
    await expect(other).rejects.toThrow(/seed: 0 there, 3 here[\s\S]*to start afresh/);
  });

  it('names the queue that no worker serves: of the workflows, of steps, or a wrong one', async () => {
    const hints = (workflow: string, ...steps: string[]) =>
      unservedQueues(temporal, 'demo', { workflow, steps });
    expect(await hints('colloquy', 'colloquy-gpu', 'colloquy-gpu')).toEqual([
      noWorkerHint,
      expect.stringMatching(/"colloquy-gpu", which no worker serves.*worker --queues colloquy-gpu/),
    ]);
    expect(await hints('colloqui')).toEqual([
      expect.stringMatching(/"colloqui", which no worker serves: .*"colloquy".*terminate -w demo/),
    ]);
  });

  it('steers nothing that does not run, and nothing when no worker runs', async () => {
    const pause = (name: string) => sendUpdate(temporal, name, (handle) => handle.executeUpdate(pauseUpdate));
    await expect(pause('demo')).rejects.toThrow(NoWorker);
    await expect(pause('done')).rejects.toThrow(Refused);
    await expect(pause('never')).rejects.toThrow('There is no experiment "never"');
  });
});
