import { join } from 'node:path';
import { projectRoot } from '../src/config/installation.ts';
import { startInstantEngine } from '../test/support/instant-engine.ts';
import type { Benchmark } from './benchmark.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { cpuBetween, startBenchWorker } from './worker.ts';

const baseModel = 'instant';
const concurrency = 64;

/**
 * What an answer costs here and in another checkout (`--against DIR`): both workers stand ready in one run, and take turns with the same
 * Temporal server and the same engine, which answers at once. The ratio is what counts: a busy machine is busy for both.
 */
export const versus: Benchmark = async ({ folder, quick, against }) => {
  if (against === undefined) throw new Error('versus needs --against CHECKOUT (with its node_modules).');
  const questions = quick ? 96 : 1024;
  const repeats = quick ? 1 : 12;
  const answers = questions * answersAQuestion;
  await using engine = await startInstantEngine();
  await using temporal = await startTemporal(folder, ['here', 'there']);

  const start = async (namespace: string, checkout: string) => {
    const worker = await startBenchWorker({
      temporalAddress: temporal.address,
      storeRoot: join(folder, namespace),
      engineUrl: engine.url,
      concurrency,
      checkout,
      namespace,
    });
    const client = temporal.clientOf(namespace);
    const measure = async (seed: number): Promise<Measured> => {
      const settings = { name: `versus-${seed}`, seed, baseModel, heldOut: questions, train: 0 };
      const { debatesFrom, debatesTo } = await runExperiment(client, settings);
      return {
        perSecond: (answers * 1000) / (debatesTo - debatesFrom),
        cpuMs: cpuBetween(await worker.samples(), debatesFrom, debatesTo) / answers,
      };
    };
    return { measure, [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose]() };
  };
  await using here = await start('here', projectRoot);
  await using there = await start('there', against);

  // Both warm up on a seed of their own.
  await here.measure(0);
  await there.measure(0);
  const pairs: { readonly here: Measured; readonly there: Measured }[] = [];
  for (let seed = 1; seed <= repeats; seed++) {
    // The side that comes second in one pair comes first in the next.
    const first = seed % 2 === 0 ? await there.measure(seed) : undefined;
    const own = await here.measure(seed);
    pairs.push({ here: own, there: first ?? (await there.measure(seed)) });
  }

  const row = (name: string, of: keyof Measured, digits: number) => {
    const [ours, theirs] = [pairs.map((pair) => pair.here[of]), pairs.map((pair) => pair.there[of])];
    const ratios = pairs.map((pair) => pair.here[of] / pair.there[of]);
    return [
      name,
      `${median(ours).toFixed(digits)} (${spread(ours, digits)})`,
      `${median(theirs).toFixed(digits)} (${spread(theirs, digits)})`,
      (median(ours) / median(theirs)).toFixed(3),
      `${median(ratios).toFixed(3)} (${spread(ratios, 3)})`,
    ];
  };
  return {
    text: [
      table(
        ['medians (least to most)', 'here', 'there', 'ratio of medians', 'ratios of the pairs'],
        [row('CPU ms/answer', 'cpuMs', 3), row('answers/s', 'perSecond', 0)],
      ),
      `${answers} answers a run, ${repeats} alternating pairs, ${concurrency} requests in flight. There: ${against}.`,
    ].join('\n'),
    figures: { questions, repeats, concurrency, against, pairs },
  };
};

type Measured = { readonly perSecond: number; readonly cpuMs: number };
