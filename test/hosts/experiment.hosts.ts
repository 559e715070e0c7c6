/** An experiment on three hosts that share nothing but Temporal and a bucket, while hosts, network and servers fail. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type Case, type Cluster, faketimeLibrary, openCluster, type PendingStep } from './cluster.ts';
import { cannotMakeHosts, diskPath, type Host, type Program } from './hosts.ts';

/** Like the quickstart, and smaller: the embedded model on every host, debates of twelve shards, four fine-tunes. */
const small = {
  preset: 'quickstart',
  iterations: 1,
  allow_few_steps: true,
  agents: 2,
  shard_size: 8,
  task: { train_size: 96, test_size: 32 },
};
/** With two requests at once an engine is slow enough that faults find it in the middle of a step. The same answers come out. */
const slowEngine = 'local: { kind: local, max_concurrency: 2 }\n';
const endpoints = { COLLOQUY_ENDPOINTS: `${diskPath}/endpoints.yaml` };
const hour = 3_600_000;
const faketime = faketimeLibrary();
/** For a worker with a clock of its own; its timers run by the right one. */
const clock = { LD_PRELOAD: faketime ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_CACHE_DURATION: '1' };
/** Each way, of the third host's cable. */
const slowMs = 25;

const reason = cannotMakeHosts();
if (reason !== null) process.stderr.write(`Nothing is tested: ${reason}.\n`);
else if (faketime === null) process.stderr.write('All clocks are right: libfaketime is not installed.\n');

describe.skipIf(reason !== null)('three hosts', () => {
  let cluster: Cluster;
  let hosts: Host[];
  let s3: Program;
  const workers: Program[] = [];
  let undisturbed: Record<string, string>;

  beforeAll(async () => {
    cluster = await openCluster(versitygw());
    s3 = await cluster.startS3();
    await cluster.startTemporal();
    const { host } = cluster.network;
    hosts = [await host('h1'), await host('h2'), await host('h3', slowMs)];
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((each) => each.kill('SIGTERM')));
  });
  afterAll(async () => cluster?.[Symbol.asyncDispose]());

  /** Starts a worker on each host. */
  async function work(on: Case, ofThird: Readonly<Record<string, string>> = {}): Promise<Program[]> {
    const started = await Promise.allSettled(
      hosts.map(async (host, index) => {
        writeFileSync(join(host.disk, 'endpoints.yaml'), slowEngine);
        const worker = await on.worker(host, { ...endpoints, ...(index === 2 ? ofThird : {}) });
        workers.push(worker);
        return worker;
      }),
    );
    return started.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
  }

  /** Waits until one of these hosts is in the middle of such a step, and has said so. */
  async function inTheMiddle(
    of: Case,
    among: readonly Host[],
    step: string,
    says: string,
  ): Promise<{ readonly host: Host; readonly its: readonly PendingStep[] }> {
    const look = async () => {
      const all = (await of.pending()).filter(({ id }) => id.startsWith(step));
      const busy = all.find(
        (each) =>
          ![undefined, 0].includes(each.says[says] as undefined) &&
          among.some(({ name }) => name === each.host),
      );
      const host = among.find(({ name }) => name === busy?.host);
      return host === undefined ? undefined : { host, its: all.filter((each) => each.host === host.name) };
    };
    return until(`a host is in the middle of ${step}`, look, 600_000);
  }

  it('share an experiment, and do each step once', async () => {
    const quiet = await cluster.case('quiet');
    await work(quiet);
    await quiet.start(small);
    await quiet.end();
    undisturbed = await quiet.tables();
    expect(Object.keys(undisturbed)).toContain('iteration 1, datasets, agent 2-critic: dataset');
    const steps = await quiet.steps();
    // A worker takes up to eight shards at once, so that chance may leave one of three without any.
    expect(new Set(steps.map(({ host }) => host)).size).toBeGreaterThan(1);
    expect(steps.filter(({ attempt }) => attempt > 1)).toEqual([]);
  });

  it.skipIf(faketime === null)('refuse work where the clock is an hour off, and say so', async () => {
    const refused = await cluster.case('refused');
    await expect(refused.worker(hosts[2]!, { ...clock, FAKETIME: '+1h' })).rejects.toThrow(
      /clock of this machine is (59|60) minutes ahead/,
    );
  });

  it('make the same when one is killed in its debates, one has no network for half a minute in its fine-tunes, and one has a slow network and a clock that jumps an hour ahead', async () => {
    const hard = await cluster.case('hard');
    const third = hosts[2]!;
    const clockFile = join(third.disk, 'clock');
    writeFileSync(clockFile, '+0\n');
    const theirWorkers = await work(
      hard,
      faketime === null ? {} : { ...clock, FAKETIME_TIMESTAMP_FILE: `${diskPath}/clock` },
    );
    // The worker has tried the bucket with the right time; a clock that is wrong from the beginning is refused.
    if (faketime !== null) writeFileSync(clockFile, '+1h\n');
    await hard.start(small);

    const { host: killed, its: lost } = await inTheMiddle(
      hard,
      hosts.slice(0, 2),
      'debate-i1-train',
      'answers',
    );
    await theirWorkers[hosts.indexOf(killed)]!.kill('SIGKILL');
    const alive = hosts.filter((each) => each !== killed);
    // As a machine that starts again. It also has room for what the one that is cut off has in hand.
    workers.push(await hard.worker(killed, endpoints));

    const { host: cut, its: cutOff } = await inTheMiddle(hard, alive, 'finetune-i1', 'key');
    await cut.plug(false);
    await sleep(30_000);
    await cut.plug(true);
    await hard.end();

    expect(await hard.tables()).toEqual(undisturbed);
    expect(hard.stored().filter((file) => file.includes('.claim-'))).toEqual([]);

    // The faults did happen: the last attempts were second ones.
    const steps = await hard.steps();
    const attemptOf = (id: string) => steps.find((each) => each.id === id)?.attempt;
    expect(lost.map(({ id }) => attemptOf(id)).filter((attempt) => attempt === 2)).not.toEqual([]);
    const ahead = faketime === null ? 0 : hour;
    expect(Date.parse(logOf(hard, third).at(-1)!.time) - Date.now()).toBeGreaterThan(ahead - hour / 2);

    // Both attempts ran at the same time, and both wrote.
    const timeOn = (host: Host, { time }: Line) => Date.parse(time) - (host === third ? ahead : 0);
    const twice = cutOff.flatMap(({ id, says }) => {
      const others = hosts.filter((host) => host !== cut);
      const again = others.flatMap((host) =>
        logOf(hard, host)
          .filter(({ step, attempt }) => step === id && attempt === 2)
          .map((line) => ({ host, beganAt: timeOn(host, line) })),
      )[0];
      return again === undefined ? [] : [{ id, model: String(says['key']), again }];
    });
    expect(twice).not.toEqual([]);
    for (const { id, model, again } of twice) {
      const stopped = logOf(hard, cut).find(
        ({ step, attempt, msg }) => step === id && attempt === 1 && msg !== 'step began',
      )!;
      expect(again.beganAt).toBeLessThan(timeOn(cut, stopped));
      const writers = cluster
        .requests()
        .filter(({ what, key }) => what === 'PutObject' && key.startsWith(`hard/models/${model}`))
        .map(({ from }) => from);
      expect([...new Set(writers)].toSorted()).toEqual([cut.address, again.host.address].toSorted());
    }
  });

  it('make the same when the S3 server is gone for 20 s, and then nobody reaches Temporal for 20 s', async () => {
    const servers = await cluster.case('servers');
    const [worker] = hosts as [Host];
    await work(servers);
    await servers.start(small);

    await inTheMiddle(servers, hosts, 'debate-i1-train', 'answers');
    await s3.kill('SIGKILL');
    expect(await reaches(worker, cluster.s3, 7070)).toBe(false);
    await sleep(20_000);
    expect((await servers.pending()).filter(({ id }) => id.startsWith('debate-i1-train'))).not.toEqual([]);
    s3 = await cluster.startS3();

    await inTheMiddle(servers, hosts, 'finetune-i1', 'key');
    await cluster.temporal.plug(false);
    expect(await reaches(worker, cluster.temporal, 7233)).toBe(false);
    await sleep(20_000);
    await cluster.temporal.plug(true);
    await servers.end();
    expect(await servers.tables()).toEqual(undisturbed);
    expect(servers.stored().filter((file) => file.includes('.claim-'))).toEqual([]);
  });
});

type Line = {
  readonly time: string;
  readonly msg: string;
  readonly step?: string;
  readonly attempt?: number;
};

/** What the worker of this host has logged, in order. */
function logOf({ name }: Case, { disk }: Host): Line[] {
  const text = readFileSync(join(disk, name, 'logs', 'worker.log'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** Whether a connection is made within two seconds. */
async function reaches(from: Host, to: Host, port: number): Promise<boolean> {
  const connect = `import socket; socket.create_connection(('${to.address}', ${port}), 2)`;
  return from.run(['python3', '-c', connect]).then(
    () => true,
    () => false,
  );
}

/** The S3 server's program, which is built once. */
function versitygw(): string {
  const script = fileURLToPath(new URL('../../scripts/setup-s3.mjs', import.meta.url));
  return execFileSync(process.execPath, [script], { encoding: 'utf8' }).trim().split('\n').at(-1) ?? '';
}
