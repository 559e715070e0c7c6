import { join } from 'node:path';
import { createEngineProcess, type EngineProcess } from '../src/engines/process/engine-process.ts';
import { localConcurrency as concurrency } from '../src/engines/endpoint/local.ts';
import { resolveModel } from '../src/engines/endpoint/base-model.ts';
import type { Benchmark } from './benchmark.ts';
import { startDirect } from './direct.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { cpuBetween, startBenchWorker } from './worker.ts';

const baseModel = 'engine/models/tiny-arithmetic';

/**
 * Whether the pipeline keeps the engine busy: answers/s of whole debates through Temporal and a worker, and of the very same
 * requests, in the same order, fired straight at a second engine with the same number in flight. An engine keeps the prompts that it
 * read last, so that one engine would have less to do the second time. Aim: a ratio of at least 0.95.
 */
export const saturation: Benchmark = async ({ folder, quick }) => {
  const questions = quick ? 64 : 512;
  const repeats = quick ? 1 : 5;
  const storeRoot = join(folder, 'store');
  const engine = (): EngineProcess =>
    createEngineProcess({
      model: resolveModel(baseModel),
      servedModelName: baseModel,
      logFolder: join(folder, 'logs'),
    });
  const [debated, straight] = [engine(), engine()];
  try {
    const { signal } = new AbortController();
    const [{ url }, { url: straightUrl }] = await Promise.all([
      debated.ready(signal),
      straight.ready(signal),
    ]);
    await using temporal = await startTemporal(folder);
    await using worker = await startBenchWorker({
      temporalAddress: temporal.address,
      storeRoot,
      engineUrl: url,
      concurrency,
    });
    await using loop = await startDirect();

    const pair = async (seed: number, heldOut: number) => {
      const requests = join(folder, `requests-${seed}.json`);
      await worker.record();
      const run = await runExperiment(temporal.client, {
        name: `saturation-${seed}`,
        seed,
        baseModel,
        heldOut,
        train: 0,
      });
      await worker.requests(requests);
      const cpuMs = cpuBetween(await worker.samples(), run.debatesFrom, run.debatesTo);
      const fired = await loop.fire({
        url: `${straightUrl}/chat/completions`,
        model: baseModel,
        requests,
        concurrency,
        client: 'node:http',
      });
      const answers = heldOut * answersAQuestion;
      if (fired.answers !== answers) throw new Error(`${fired.answers} requests for ${answers} answers.`);
      return {
        pipeline: (answers * 1000) / (run.debatesTo - run.debatesFrom),
        direct: fired.answers / fired.seconds,
        workerCpuMs: cpuMs / answers,
        completionTokens: fired.completionTokens,
      };
    };

    // Both ends warm up on another seed.
    await pair(1, 32);
    const pairs = [];
    for (let repeat = 1; repeat <= repeats; repeat++) pairs.push(await pair(1 + repeat, questions));

    const pipeline = median(pairs.map((each) => each.pipeline));
    const direct = median(pairs.map((each) => each.direct));
    const ratio = pipeline / direct;
    const each = pairs.map((one) => one.pipeline / one.direct);
    return {
      text: [
        table(
          ['answers/s of the embedded engine', 'median', 'least to most'],
          [
            [
              'debates through worker and Temporal',
              pipeline.toFixed(1),
              spread(
                pairs.map((one) => one.pipeline),
                1,
              ),
            ],
            [
              'the same requests straight',
              direct.toFixed(1),
              spread(
                pairs.map((one) => one.direct),
                1,
              ),
            ],
            ['ratio (aim: at least 0.95)', ratio.toFixed(3), spread(each, 3)],
          ],
        ),
        `${questions * answersAQuestion} answers a run, ${repeats} alternating pairs, ${concurrency} requests in flight.`,
      ].join('\n'),
      figures: { questions, repeats, concurrency, ratio, ratios: each, pairs },
    };
  } finally {
    await Promise.all([debated.close(), straight.close()]);
  }
};
