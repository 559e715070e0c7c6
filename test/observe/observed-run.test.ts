import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tracedBundle } from '../../src/workers/bundle.ts';
import { startWorkers } from '../../src/workers/start.ts';
import { sharedBundle } from '../support/shared-bundle.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { freePort } from '../../src/engines/process/process-group.ts';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from '../support/trace-receiver.ts';
import { until } from '../support/until.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

const deployed = (name: string) => readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');

type Line = Readonly<Record<string, unknown>>;

describe('a worker with all observation switched on', () => {
  let rig: WorkflowRig;
  let receiver: TraceReceiver;
  let worker: WorkerProcess;
  let handle: Handle;
  let metrics = '';
  let log: Line[] = [];
  const listed: string[][] = [];

  beforeAll(async () => {
    rig = await workflowRig('observed', { worker: false });
    receiver = await startTraceReceiver();
    const address = `127.0.0.1:${await freePort()}`;
    worker = await startWorkerProcess(
      {
        COLLOQUY_METRICS_ADDRESS: address,
        COLLOQUY_SEARCH_ATTRIBUTES: '1',
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      },
      { storeRoot: rig.storeRoot, engineUrl: rig.engine.url },
    );
    const inState = async (state: string): Promise<boolean> => {
      const found: string[] = [];
      for await (const { workflowId } of rig.client.workflow.list({ query: `ColloquyState="${state}"` }))
        found.push(workflowId);
      if (found.length > 0) listed.push([state, ...found]);
      return found.length > 0;
    };
    await rig.engine.answerWith(403);
    handle = await rig.start('observed');
    await until('it is parked', async () => (await handle.query(progressQuery)).waiting.length === 2);
    await until('it is listed as parked', () => inState('parked'));
    await rig.engine.answerWith(200);
    await handle.executeUpdate(retryUpdate);
    await handle.result();
    // The server tells the result before the worker has heard that its last step was taken, and counted the run.
    await until('the worker has counted the run that ended', async () => {
      metrics = await (await fetch(`http://${address}/metrics`)).text();
      return metrics.includes('\ntemporal_workflow_completed');
    });
    await until('it is listed as finished', () => inState('finished'));
    await until('its first run is listed as continued', () => inState('continued'));
    await worker.kill('SIGTERM');
    const text = await readFile(join(rig.storeRoot, 'logs', 'worker.log'), 'utf8');
    log = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }, 120_000);
  afterAll(async () => {
    await receiver[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  });

  const runsOf = async ({ workflowId }: Handle) => {
    const runs = [];
    for await (const { runId, startTime } of rig.client.workflow.list({
      query: `WorkflowId="${workflowId}"`,
    }))
      runs.push({ startTime, handle: rig.client.workflow.getHandle(workflowId, runId) });
    return runs.toSorted((a, b) => Number(a.startTime) - Number(b.startTime)).map(({ handle }) => handle);
  };
  const counted = (name: string): number =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);

  it('counts as many answers as the engine gave', async () => {
    const asked = (await readFile(join(rig.storeRoot, 'asked.log'), 'utf8')).trim().split('\n').length;
    expect(asked).toBeGreaterThan(200);
    expect(counted('colloquy_answers_total')).toBe(asked);
    expect(counted('colloquy_completion_tokens_total')).toBeGreaterThan(asked);
    expect(metrics).toMatch(/colloquy_answers_total\{[^}]*experiment="observed"[^}]*role="critic"/);
  });

  it('measures the queue, the gate and the fine-tunes, and has no more labels than it should', () => {
    expect(metrics).toMatch(/colloquy_requests_in_flight\{[^}]*endpoint="instant"[^}]*\} 0/);
    expect(counted('colloquy_gpu_gate_wait_seconds_count')).toBeGreaterThan(0);
    expect(counted('colloquy_fine_tune_steps_total')).toBe(6 * 4);
    expect(metrics).toMatch(/colloquy_fine_tune_loss\{[^}]*agent="1"[^}]*\} 0\.25/);
    expect(metrics).toContain('temporal_activity_execution_latency_seconds');
    const ours = metrics.split('\n').filter((line) => line.startsWith('colloquy_'));
    expect(ours.length).toBeLessThan(200);
  });

  it('shows every metric that the dashboard and the alerts name', async () => {
    const dashboard = JSON.parse(await deployed('grafana/colloquy.json')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const alerts = parse(await deployed('prometheus/colloquy-alerts.yaml')) as {
      groups: { rules: { alert: string; expr: string; annotations: object }[] }[];
    };
    const rules = alerts.groups.flatMap((group) => group.rules);
    for (const { alert, annotations } of rules)
      expect([alert, Object.keys(annotations)]).toEqual([alert, ['summary', 'description']]);
    const asked = [
      ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
      ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ];
    expect(asked.length).toBeGreaterThan(25);
    const shown = new Set(metrics.split('\n').flatMap((line) => /^[a-z_]+/.exec(line)?.[0] ?? []));
    const unknown = asked.flatMap(([where, expr]) =>
      [...expr.matchAll(/\b(?:colloquy|temporal)_[a-z_]+(?=[{[)\s]|$)/g)]
        .filter(([name]) => !shown.has(name))
        .map(([name]) => `${where}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('sends spans of the run, its steps, and what they did, all in one trace, over continue-as-new', async () => {
    const byId = new Map(receiver.spans.map((span) => [span.spanId, span]));
    const above = (span: ReceivedSpan | undefined): string[] => {
      const parent = byId.get(span?.parentSpanId ?? '');
      return parent === undefined ? [] : [...above(parent), parent.name];
    };
    const named = (name: string) => receiver.spans.find((span) => span.name === name);
    expect(above(named('answers')).slice(-3)).toEqual([
      'RunWorkflow:experiment',
      'StartActivity:debate',
      'RunActivity:debate',
    ]);
    expect(above(named('fine-tune')).at(-1)).toBe('RunActivity:fineTune');
    // The answers are those of a server on another device, so the fine-tunes alone pass the gate.
    expect(above(named('wait for the GPU'))).toEqual(above(named('fine-tune')));
    const runs = receiver.spans.filter(({ name }) => !name.includes('Update:'));
    expect(new Set(runs.map(({ traceId }) => traceId)).size).toBe(1);
    expect(runs.filter(({ name }) => name === 'RunWorkflow:experiment').map(above)).toContainEqual([
      'RunWorkflow:experiment',
      'ContinueAsNew:experiment',
    ]);
    const attributes = receiver.spans.find(({ name }) => name === 'RunActivity:fineTune')!.attributes;
    expect(attributes).toContainEqual({ key: 'experiment', value: { stringValue: 'observed' } });
  });

  it('logs what happens to each step, with the experiment, the iteration and the agent or shard', () => {
    const line = (msg: string, step: string) =>
      log.find((each) => each['msg'] === msg && each['step'] === step);
    expect(line('step finished', 'finetune-i1-agent2-critic')).toMatchObject({
      level: 'info',
      experiment: 'observed',
      iteration: 1,
      agent: 2,
      role: 'critic',
    });
    expect(line('step failed', 'debate-i0-heldout-s001')).toMatchObject({
      level: 'warn',
      experiment: 'observed',
      iteration: 0,
      split: 'heldout',
      shard: 1,
      cause: 'EngineRefused',
    });
    const said = log.map((each) => each['msg']);
    for (const message of [
      'phase began',
      'experiment parked',
      'adapter loaded',
      'checkpoint written',
      'worker ended',
    ])
      expect(said).toContain(message);
    expect(log.filter(({ from, experiment }) => from === 'workflow' && experiment !== 'observed')).toEqual(
      [],
    );
    expect(JSON.stringify(log)).not.toContain('boxed');
    // The queues that have activities only are no reason to warn.
    expect(log.filter((each) => each['from'] === 'worker' && each['level'] === 'warn')).toEqual([]);
  });

  it('lists the parked, the finished and the continued ones by search attribute', () => {
    expect(listed).toEqual([
      ['parked', 'observed'],
      ['finished', 'observed'],
      // The first run of the chain.
      ['continued', 'observed'],
    ]);
  });

  it('can be followed by one without observation, and follow it: either replays the histories of the other', async () => {
    const stop = new AbortController();
    const dependencies = testDependencies({ storeRoot: rig.storeRoot, engineUrl: rig.engine.url });
    const untold = startWorkers({ signal: stop.signal, dependencies, bundle: sharedBundle });
    const untraced = await rig.start('untraced');
    await untraced.result();
    stop.abort();
    await untold;
    const sinks = { exporter: { export: { fn: () => undefined } } };
    const traced = { workflowBundle: await tracedBundle(), sinks };
    await Worker.runReplayHistory({ workflowBundle: await sharedBundle() }, await handle.fetchHistory());
    await Worker.runReplayHistory(traced, await handle.fetchHistory());
    await Worker.runReplayHistory(traced, await untraced.fetchHistory());
    const [firstRun] = await runsOf(untraced);
    await Worker.runReplayHistory(traced, await firstRun!.fetchHistory());
  }, 60_000);

  it('is an exception: this process, which observes nothing, has loaded nothing of OpenTelemetry', () => {
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    expect(loaded.filter((path) => path.includes('/@temporalio/'))).not.toEqual([]);
    expect(loaded.filter((path) => path.includes('/@opentelemetry/'))).toEqual([]);
  });
});
