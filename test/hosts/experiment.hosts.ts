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

/** Like the quickstart, and smaller: the embedded model on every host, debates of six shards, four fine-tunes. */
const small = {
  preset: 'quickstart',
  iterations: 1,
  allow_few_steps: true,
  agents: 2,
  shard_size: 16,
  task: { train_size: 96, test_size: 32 },
};
const hour = 3_600_000;
const faketime = faketimeLibrary();
/** For a worker with a clock of its own; its timers run by the right one. */
const clock = { LD_PRELOAD: faketime ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_CACHE_DURATION: '1' };
/** Each way, of the third host's cable. */
const slowMs = 25;

const reason = cannotMakeHosts();
if (reason !== null) console.error(`Nothing is tested: ${reason}.`);

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
        const worker = await on.worker(host, index === 2 ? ofThird : {});
        workers.push(worker);
        return worker;
      }),
    );
    return started.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
  }

  /** Waits until the host is in the middle of a step, and has said so. */
  async function inTheMiddle(of: Case, host: Host, step: string, says: string): Promise<PendingStep[]> {
    const there = (await until(
      `${host.name} is in the middle of ${step}`,
      async () => {
        const its = (await of.pending()).filter(
          (each) => each.host === host.name && each.id.startsWith(step),
        );
        return its.some((each) => ![undefined, 0].includes(each.says[says] as undefined)) && its;
      },
      300_000,
    )) as PendingStep[];
    return there;
  }

  it('share an experiment: each of them does some of its steps, at the first attempt', async () => {
    const quiet = await cluster.case('quiet');
    await work(quiet);
    await quiet.start(small);
    await quiet.end();
    const steps = await quiet.steps();
    expect([...new Set(steps.map(({ host }) => host))].toSorted()).toEqual(['h1', 'h2', 'h3']);
    expect(steps.filter(({ attempt }) => attempt > 1)).toEqual([]);
    undisturbed = await quiet.tables();
    expect(Object.keys(undisturbed)).toContain('iteration 1, datasets, agent 2-critic: dataset');
    console.log('histories', await quiet.histories(), 'requests', cluster.requests().length);
  });

  it.skipIf(faketime === null)('refuse work where the clock is an hour off, and say so', async () => {
    const refused = await cluster.case('refused');
    await expect(refused.worker(hosts[2]!, { ...clock, FAKETIME: '+1h' })).rejects.toThrow(
      /clock of this machine is (59|60) minutes ahead/,
    );
  });

  it('make the same when one is killed in its debates, one has no network for half a minute in its fine-tunes, and one has a slow network and a clock that jumps an hour ahead', async () => {
    if (faketime === null) console.error('All clocks are right: libfaketime is not installed.');
    const hard = await cluster.case('hard');
    const [first, second, third] = hosts as [Host, Host, Host];
    const clockFile = join(third.disk, 'clock');
    writeFileSync(clockFile, '+0\n');
    const [killed] = await work(
      hard,
      faketime === null ? {} : { ...clock, FAKETIME_TIMESTAMP_FILE: `${diskPath}/clock` },
    );
    // The worker has tried the bucket with the right time; a clock that is wrong from the beginning is refused.
    if (faketime !== null) writeFileSync(clockFile, '+1h\n');
    await hard.start(small);

    const lost = await inTheMiddle(hard, first, 'debate-i1-train', 'answers');
    await killed!.kill('SIGKILL');

    const cut = await inTheMiddle(hard, second, 'finetune-i1', 'key');
    await second.plug(false);
    await sleep(30_000);
    await second.plug(true);
    await hard.end();

    expect(await hard.tables()).toEqual(undisturbed);
    expect(hard.stored().filter((file) => file.includes('.claim-'))).toEqual([]);

    // The faults did happen.
    const steps = await hard.steps();
    const ended = (id: string) => steps.find((each) => each.id === id);
    for (const { id } of lost) expect(ended(id)).toMatchObject({ attempt: 2 });
    expect(cut.length).toBeGreaterThan(0);
    const twice = cut.filter(({ id }) => (ended(id)?.attempt ?? 1) > 1);
    expect(twice.length).toBeGreaterThan(0);
    const ahead = faketime === null ? 0 : hour;
    expect(Date.parse(logOf(hard, third).at(-1)!.time) - Date.now()).toBeGreaterThan(ahead - hour / 2);
    // Both attempts ran at the same time, and both wrote.
    for (const { id, says } of twice) {
      const again = logOf(hard, third).find((line) => line.step === id && line.msg === 'step began');
      const stopped = logOf(hard, second).find(
        (line) => line.step === id && line.attempt === 1 && line.msg !== 'step began',
      );
      expect(Date.parse(again!.time) - ahead).toBeLessThan(Date.parse(stopped!.time));
      const writes = cluster
        .requests()
        .filter(
          ({ what, key }) => what === 'PutObject' && key.includes(`hard/models/${String(says['key'])}`),
        );
      expect(new Set(writes.map(({ from }) => from))).toEqual(new Set([second.address, third.address]));
    }
  });

  it('make the same when the S3 server is gone for 20 s, and then nobody reaches Temporal for 20 s', async () => {
    const servers = await cluster.case('servers');
    const [first, second] = hosts as [Host, Host];
    await work(servers);
    await servers.start(small);

    await inTheMiddle(servers, first, 'debate-i1-train', 'answers');
    await s3.kill('SIGKILL');
    expect(await reaches(second, cluster.s3, 7070)).toBe(false);
    await sleep(20_000);
    expect((await servers.pending()).filter(({ id }) => id.startsWith('debate-i1-train'))).not.toEqual([]);
    s3 = await cluster.startS3();

    await inTheMiddle(servers, second, 'finetune-i1', 'key');
    await cluster.temporal.plug(false);
    expect(await reaches(second, cluster.temporal, 7233)).toBe(false);
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
