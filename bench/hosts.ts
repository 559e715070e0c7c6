import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../src/engines/process/process-group.ts';
import { keys } from '../test/s3/keys.ts';
import { startInstantEngine } from '../test/support/instant-engine.ts';
import type { Benchmark } from './benchmark.ts';
import { machine } from './machine.ts';
import { cpuOf } from './processes.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

const baseModel = 'instant';
/** An engine that answers `inFlight` requests of each worker at once, in `answerMs` each: a worker cannot have more answers/s than these give. */
const inFlight = 32;
const answerMs = 250;
const mostEach = (inFlight * 1000) / answerMs;
/** Two shards for each of the eight that a worker takes at once: with fewer, some workers would have none. */
const questionsEach = 256;
const shardSize = 16;

/**
 * How many answers/s do 1, 2, 4, 8 workers give, each with an engine of a limited speed, and what does an answer cost the workers, Temporal,
 * the engine and the store? Workers of one size have questions in proportion to their number, on files and on a real S3 server.
 */
export const hosts: Benchmark = async ({ folder, quick }) => {
  const sizes = quick ? [1, 2] : [1, 2, 4, 8];
  const metricsPort = await freePort(0);
  await using engine = await startInstantEngine(['--delay', String(answerMs)]);
  await using temporal = await startTemporal(folder, [], ['--metrics-port', String(metricsPort)]);
  await using s3 = await realS3(join(folder, 's3-requests.log'));
  const stores: Store[] = [
    { name: 'files', root: join(folder, 'store') },
    ...(s3 === null ? [] : [{ name: 'S3', root: `s3://${s3.bucket}/store`, requests: s3.requests }]),
  ];

  const startWorker = (store: Store, number: number) =>
    startBenchWorker({
      temporalAddress: temporal.address,
      storeRoot: store.root,
      engineUrl: engine.url,
      concurrency: inFlight,
      environment: { COLLOQUY_LOCAL: join(folder, `local-of-${number}`) },
    });

  /** @param warming the run only gets the workers warm */
  async function measure(store: Store, workers: number, warming = false): Promise<Measured> {
    const questions = (warming ? questionsEach / 4 : questionsEach) * workers;
    const used = async () => ({ actions: await actionsAt(metricsPort), requests: store.requests?.() ?? {} });
    const before = await used();
    const samples: Sample[] = [];
    const sampling = setInterval(() => samples.push({ at: Date.now(), cpu: cpuOf(kinds) }), 200);
    const { debatesFrom, debatesTo, history } = await runExperiment(temporal.client, {
      name: `${store.name}-${workers}${warming ? '-warming' : ''}`,
      seed: warming ? 0 : 1,
      baseModel,
      heldOut: questions,
      train: 0,
      shardSize,
    }).finally(() => clearInterval(sampling));
    const after = await used();
    const answers = questions * answersAQuestion;
    console.log(
      `${store.name}, ${workers} workers: ${answers} answers in ${Math.round((debatesTo - debatesFrom) / 1000)} s`,
    );
    return {
      workers,
      answers,
      seconds: (debatesTo - debatesFrom) / 1000,
      perSecond: (answers * 1000) / (debatesTo - debatesFrom),
      cpu: cpuWhile(samples, debatesFrom, debatesTo),
      actions: difference(after.actions, before.actions),
      requests: difference(after.requests, before.requests),
      history,
      load: machine().load,
    };
  }

  const texts: string[] = [];
  const figures: Record<string, Measured[]> = {};
  for (const store of stores) {
    const started: BenchWorker[] = [];
    const runs: Measured[] = [];
    try {
      for (const size of sizes) {
        while (started.length < size) started.push(await startWorker(store, started.length));
        await measure(store, size, true);
        runs.push(await measure(store, size));
      }
    } finally {
      await Promise.all(started.map((each) => each[Symbol.asyncDispose]()));
    }
    figures[store.name] = runs;
    texts.push(`Store: ${store.name}`, tableOf(runs), needs(runs.at(-1)));
  }
  if (s3 === null) texts.push('No S3 server: npm run test:s3 builds it.');
  texts.push(
    `3 agents, 2 rounds, ${questionsEach} held-out questions for each worker, shards of ${shardSize}. The engine answers ${inFlight} requests ` +
      `of each worker at once in ${answerMs} ms: at most ${mostEach} answers/s a worker. ${availableParallelism()} cores for everything.`,
  );
  return { text: texts.join('\n'), figures: { inFlight, answerMs, questionsEach, shardSize, runs: figures } };
};

type Store = {
  readonly name: string;
  readonly root: string;
  /** How many of each kind the server has answered. */
  readonly requests?: () => Record<string, number>;
};

/** By what their command lines contain. The guardian of a program has the program's command line too, and uses next to nothing. */
const kinds = {
  workers: 'worker-main.ts',
  engine: 'instant-engine.mjs',
  temporal: 'start-dev',
  s3: 'versitygw',
} as const;

type Measured = {
  readonly workers: number;
  readonly answers: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Milliseconds from the first debate's begin to the last one's end, by whose. */
  readonly cpu: Cpu;
  /** What Temporal counts as actions, by type. */
  readonly actions: Record<string, number>;
  readonly requests: Record<string, number>;
  readonly history: { readonly events: number; readonly bytes: number };
  readonly load: number;
};

type Cpu = Record<keyof typeof kinds, number>;
type Sample = { readonly at: number; readonly cpu: Cpu };

/** From the last sample before to the first one after. */
function cpuWhile(samples: readonly Sample[], from: number, to: number): Cpu {
  const before = samples.findLast(({ at }) => at <= from) ?? samples[0];
  const after = samples.find(({ at }) => at >= to) ?? samples.at(-1);
  if (before === undefined || after === undefined) throw new Error('No sample was taken.');
  return difference(after.cpu, before.cpu);
}

function tableOf(runs: readonly Measured[]): string {
  const one = runs[0]?.perSecond ?? 1;
  return table(
    [
      'workers',
      'answers/s',
      'times one worker',
      'of the engine’s most',
      'CPU ms/answer: workers',
      'Temporal',
      'engine',
      'S3',
      'cores busy',
      'load',
    ],
    runs.map(({ workers, answers, seconds, perSecond, cpu, load }) => [
      String(workers),
      perSecond.toFixed(0),
      (perSecond / one).toFixed(2),
      (perSecond / (mostEach * workers)).toFixed(2),
      ...(['workers', 'temporal', 'engine', 's3'] as const).map((whose) => (cpu[whose] / answers).toFixed(3)),
      (sum(cpu) / 1000 / seconds).toFixed(2),
      load.toFixed(1),
    ]),
  );
}

/** What the largest run asked of Temporal and of the store. */
function needs(run: Measured | undefined): string {
  if (run === undefined) return '';
  const { workers, answers, actions, requests, history } = run;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .toSorted(([, a], [, b]) => b - a)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ');
  return [
    `${workers} workers, ${answers} answers: ${history.events} events and ${(history.bytes / 1000).toFixed(0)} kB of history`,
    `actions ${(sum(actions) / answers).toFixed(4)} an answer (${list(actions)})`,
    ...(sum(requests) === 0
      ? []
      : [`requests to S3 ${(sum(requests) / answers).toFixed(3)} an answer (${list(requests)})`]),
  ].join('; ');
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

function difference<Key extends string>(
  after: Readonly<Record<Key, number>>,
  before: Readonly<Record<Key, number>>,
): Record<Key, number> {
  const all = Object.entries<number>(after).map(([key, count]) => [key, count - (before[key as Key] ?? 0)]);
  return Object.fromEntries(all) as Record<Key, number>;
}

/** Temporal's own count of what its cloud bills, by type, since it began. */
async function actionsAt(port: number): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const counts: Record<string, number> = {};
  for (const [, labels = '', count = '0'] of text.matchAll(/^action(?:_total)?\{([^}]*)\} (\S+)/gm)) {
    if (!labels.includes('namespace="default"')) continue;
    const type = /action_type="([^"]*)"/.exec(labels)?.[1] ?? 'other';
    counts[type] = (counts[type] ?? 0) + Number(count);
  }
  return counts;
}

/** A real S3 server, and how many requests of each kind it has answered; null where there is none and it cannot be built. */
async function realS3(log: string) {
  try {
    const { startS3 } = await import('../test/s3/real-s3.ts');
    const server = await startS3(log);
    Object.assign(process.env, keys, { AWS_ENDPOINT_URL_S3: server.url });
    const requests = (): Record<string, number> => {
      const counts: Record<string, number> = {};
      const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
      for (const [, what = ''] of text.matchAll(/ s3_(\w+) /g)) counts[what] = (counts[what] ?? 0) + 1;
      return counts;
    };
    return { bucket: server.bucket(), requests, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  } catch (error) {
    console.error(`No S3 server: ${String(error)}`);
    return null;
  }
}
