/** Whole experiments on a store in a bucket: they make what they make on a store of files, whatever happens to hosts and network. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { startWorkers } from '../../src/workers/start.ts';
import type { experiment } from '../../src/workflows/experiment.ts';
import { taskQueues } from '../../src/workflows/temporal.ts';
import { temporalAddress } from '../setup/temporal-address.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { type InstantEngine, startInstantEngine } from '../support/instant-engine.ts';
import { sharedBundle } from '../support/shared-bundle.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { tablesOf } from '../support/tables-of.ts';
import { inFlight } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { keys } from './keys.ts';
import { type RealS3, startS3 } from './real-s3.ts';

describe('an experiment', () => {
  let address: string;
  let server: RealS3;
  let proxy: FaultProxy;
  let connection: Connection;
  let engine: InstantEngine;
  const workers: WorkerProcess[] = [];
  const asked = join(temporaryFolder(), 'asked.log');
  let onFiles: unknown;

  /** A worker on a host of its own: its local folder is empty. */
  async function worker(storeRoot: string, namespace: string) {
    const local = temporaryFolder();
    const environment = {
      ...keys,
      AWS_ENDPOINT_URL_S3: proxy.url,
      COLLOQUY_LOCAL: local,
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
    };
    const started = await startWorkerProcess(environment, { storeRoot, engineUrl: engine.url });
    workers.push(started);
    return { worker: started, local };
  }

  async function start(name: string, namespace: string) {
    return new Client({ connection, namespace }).workflow.start<typeof experiment>('experiment', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [smallExperiment],
    });
  }

  /** From so many more answers on, the engine gives none. */
  async function holdAfter(answers: number): Promise<void> {
    await engine.tell({ hold: { after: (await engine.state()).answered + answers } });
  }

  beforeAll(async () => {
    address = await temporalAddress();
    [server, engine] = await Promise.all([startS3(), startInstantEngine(['--log', asked])]);
    proxy = await startFaultProxy(server.url);
    connection = await Connection.connect({ address });
    Object.assign(process.env, keys, { AWS_ENDPOINT_URL_S3: server.url });
    const storeRoot = temporaryFolder();
    await worker(storeRoot, 'workflows');
    await (await start('same', 'workflows')).result();
    onFiles = await tablesOf(join(storeRoot, 'same'));
  });
  afterEach(async () => {
    proxy.strike();
    proxy.cut(false);
    await Promise.all(workers.splice(0).map((each) => each.kill('SIGTERM')));
  });
  afterAll(async () => {
    await connection.close();
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  it('whose host is lost goes on on another host, asks for nothing that was uploaded, and makes the same tables', async () => {
    const bucket = server.bucket();
    const store = `s3://${bucket}/exp`;
    const { worker: lost, local } = await worker(store, 'golden');
    const before = (await lines(asked)).length;
    await holdAfter(40);
    const handle = await start('same', 'golden');
    const files = () => readdirSync(join(server.folder, bucket), { recursive: true, encoding: 'utf8' });
    const segments = () => files().filter((file) => /\.journal\/[^.]*$/.test(file));
    const linesIn = async (root: string, paths: readonly string[]) =>
      (await Promise.all(paths.map((path) => lines(join(root, path))))).flat().length;
    await until(
      'the answers that came were uploaded',
      async () => {
        const written = await linesIn(local, journalsIn(local));
        return written >= 30 && written === (await linesIn(join(server.folder, bucket), segments()));
      },
      120_000,
    );
    await lost.kill('SIGKILL');
    await engine.tell({ release: true });
    await worker(store, 'golden');
    await handle.result();
    expect(await tablesOf(join(server.folder, bucket, 'exp', 'same'))).toEqual(onFiles);
    const all = (await lines(asked)).slice(before);
    // Those that it had asked for and not heard of yet.
    expect(all.length - new Set(all).size).toBeLessThanOrEqual(inFlight);
    expect(files().filter((file) => file.includes('.claim-'))).toEqual([]);
    await readOnAnotherHost(store, 'same');
  });

  it('with the embedded model trains adapters, stores them, and answers with them on a host that has none of their files', async () => {
    const bucket = server.bucket();
    const address3 = `s3://${bucket}/exp`;
    Object.assign(process.env, {
      COLLOQUY_LOCAL: temporaryFolder(),
      COLLOQUY_STORE: address3,
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: 'embedded',
    });
    const stop = new AbortController();
    let ended = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      ended = startWorkers({ signal: stop.signal, bundle: sharedBundle, onReady: resolve });
      ended.catch(reject);
    });
    const handle = await new Client({ connection, namespace: 'embedded' }).workflow.start<typeof experiment>(
      'experiment',
      {
        workflowId: 'small',
        taskQueue: taskQueues.control,
        args: [
          {
            preset: 'quickstart',
            iterations: 1,
            allow_few_steps: true,
            agents: 2,
            task: { train_size: 16, test_size: 16 },
          },
        ],
      },
    );
    const result = await handle.result();
    stop.abort();
    await ended;
    expect(result.evaluations.map(({ questions }) => questions)).toEqual([16, 16]);
    // Another host has none of its files.
    process.env['COLLOQUY_LOCAL'] = temporaryFolder();
    const answer = JSON.parse(await colloquy(['ask', '3+4*5-6', '--json'])) as object;
    expect(answer).toMatchObject({ experiment: 'small', iteration: 1 });
  });

  it('makes the same tables through failures, slow-downs, lost answers and half a minute without a network', async () => {
    const bucket = server.bucket();
    await worker(`s3://${bucket}/exp`, 'versions');
    // Each of them strikes every few requests.
    const often = Array.from({ length: 40 }, (_, n) => [
      { what: 'internal error' as const, times: 1, skip: 4 + n },
      { what: 'slow down' as const, times: 1, skip: 4 },
      { method: 'PUT', what: 'lost' as const, times: 1, skip: 3 },
    ]).flat();
    proxy.strike(...often);
    await holdAfter(20);
    const handle = await start('same', 'versions');
    await until('it debates', async () => (await engine.state()).held > 0);
    proxy.cut(true);
    await engine.tell({ release: true });
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    proxy.cut(false);
    await handle.result();
    expect(await tablesOf(join(server.folder, bucket, 'exp', 'same'))).toEqual(onFiles);
  });
});

/** What a person sees of an experiment on a host that has none of its files. */
async function readOnAnotherHost(store: string, name: string): Promise<void> {
  const environment = { COLLOQUY_STORE: store, COLLOQUY_LOCAL: temporaryFolder() };
  const said = async (...args: string[]) =>
    JSON.parse(await colloquy([...args, '--json'], environment)) as Record<string, string>;
  expect(await said('show', name)).toHaveProperty('dialogues');
  const { report } = await said('report', name);
  expect(await readFile(report!, 'utf8')).toContain('<html');
  expect(readdirSync(join(report!, '..'))).toContain('debates.html');
  for (const option of ['--models', '--format=trl'])
    expect(readdirSync((await said('export', name, option)).folder!).length).toBeGreaterThan(1);
}

/** What the command prints. @throws Error with its errors */
async function colloquy(args: readonly string[], environment: object = {}): Promise<string> {
  const program = join(projectRoot, 'bin', 'colloquy.mjs');
  const env = { ...process.env, ...environment };
  return (await promisify(execFile)(process.execPath, [program, ...args], { maxBuffer: 64e6, env })).stdout;
}

function journalsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.journal.jsonl'),
  );
}

async function lines(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
}
