import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startInstantEngine } from '../test/support/instant-engine.ts';
import type { Benchmark } from './benchmark.ts';
import { type Cost, costsOf } from './cpu-profile.ts';
import { startDirect } from './direct.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { cpuBetween, startBenchWorker } from './worker.ts';

const baseModel = 'instant';
const concurrency = 64;

/**
 * What the pipeline itself costs, with an engine that answers at once from another process: answers/s, and CPU of the worker's
 * process for each answer; beside it two bare loops that only fire the same requests. Then a profile says what costs most.
 */
export const overhead: Benchmark = async ({ folder, results, quick }) => {
  const questions = quick ? 96 : 1024;
  const repeats = quick ? 1 : 5;
  const answers = questions * answersAQuestion;
  await using engine = await startInstantEngine();
  await using temporal = await startTemporal(folder);
  await using worker = await startBenchWorker({
    temporalAddress: temporal.address,
    storeRoot: join(folder, 'store'),
    engineUrl: engine.url,
    concurrency,
  });
  await using direct = await startDirect();
  const requests = join(folder, 'requests.json');

  const run = (seed: number) =>
    runExperiment(temporal.client, {
      name: `overhead-${seed}`,
      seed,
      baseModel,
      heldOut: questions,
      train: 0,
    });
  const throughPipeline = async (seed: number): Promise<Measured> => {
    const { debatesFrom, debatesTo } = await run(seed);
    return {
      perSecond: (answers * 1000) / (debatesTo - debatesFrom),
      cpuMs: cpuBetween(await worker.samples(), debatesFrom, debatesTo) / answers,
    };
  };
  const straight = async (client: 'axios' | 'node:http'): Promise<Measured> => {
    const url = `${engine.url}/v1/chat/completions`;
    const fired = await direct.fire({ url, model: baseModel, requests, concurrency, client });
    return { perSecond: fired.answers / fired.seconds, cpuMs: fired.cpuMs / fired.answers };
  };

  await worker.record();
  await throughPipeline(1);
  await worker.requests(requests);
  await straight('axios');
  await straight('node:http');

  const rounds: Record<Way, Measured>[] = [];
  for (let repeat = 1; repeat <= repeats; repeat++) {
    rounds.push({
      pipeline: await throughPipeline(1 + repeat),
      axios: await straight('axios'),
      'node:http': await straight('node:http'),
    });
  }
  await mkdir(results, { recursive: true });
  const profile = join(results, 'overhead.cpuprofile');
  let profiled = { debatesFrom: 0, debatesTo: 0 };
  const began = await worker.profiling(profile, async () => {
    profiled = await run(0);
  });
  const costs = await costsOf(profile, profiled.debatesFrom - began, profiled.debatesTo - began);

  const figures = {
    pipeline: summary(rounds.map((round) => round.pipeline)),
    axios: summary(rounds.map((round) => round.axios)),
    'node:http': summary(rounds.map((round) => round['node:http'])),
  };
  return {
    text: [
      comparison(figures),
      `${answers} answers a run, ${repeats} alternating repeats, ${concurrency} requests in flight. CPU is of the worker's whole process.`,
      '',
      profileTable(costs),
      `The whole profile: ${profile} (for a browser's developer tools).`,
    ].join('\n'),
    figures: { questions, repeats, concurrency, ...figures, rounds, profile: costs.slice(0, 30) },
  };
};

type Way = 'pipeline' | 'axios' | 'node:http';
type Measured = { readonly perSecond: number; readonly cpuMs: number };
type Summary = Measured & { readonly perSecondSpread: string; readonly cpuMsSpread: string };

function summary(runs: readonly Measured[]): Summary {
  const perSecond = runs.map((run) => run.perSecond);
  const cpuMs = runs.map((run) => run.cpuMs);
  return {
    perSecond: median(perSecond),
    perSecondSpread: spread(perSecond),
    cpuMs: median(cpuMs),
    cpuMsSpread: spread(cpuMs, 3),
  };
}

function comparison(figures: Readonly<Record<Way, Summary>>): string {
  const row = (name: string, way: Way) => {
    const { perSecond, perSecondSpread, cpuMs, cpuMsSpread } = figures[way];
    return [
      name,
      perSecond.toFixed(0),
      perSecondSpread,
      cpuMs.toFixed(3),
      cpuMsSpread,
      `${(figures.pipeline.perSecond / perSecond).toFixed(2)} / ${(figures.pipeline.cpuMs / cpuMs).toFixed(2)}`,
    ];
  };
  return table(
    ['engine that answers at once', 'answers/s', '', 'CPU ms/answer', '', 'debates ÷ this: answers/s / CPU'],
    [
      row('debates through worker and Temporal', 'pipeline'),
      row('bare axios loop', 'axios'),
      row('bare node:http loop', 'node:http'),
    ],
  );
}

function profileTable(costs: readonly Cost[]): string {
  return table(
    ["where the worker's main thread spends its time", 'share'],
    costs.slice(0, 14).map(({ where, share }) => [where, `${(100 * share).toFixed(0)} %`]),
  );
}
