import { join } from 'node:path';
import { startInstantEngine } from '../test/support/instant-engine.ts';
import type { Benchmark } from './benchmark.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { cpuBetween, startBenchWorker } from './worker.ts';

const baseModel = 'instant';
const concurrency = 64;
const heldOut = 500;

/** What a run may take however many questions there are (docs/benchmarks.md): the limits of Temporal are far above. */
const budget = { events: 4096, historyBytes: 4e6, payloadBytes: 100e3 };

/**
 * What grows with the training questions of an iteration: memory of the worker, its CPU for an answer, and the history. A whole
 * iteration each (debates, datasets, fine-tunes by an instant trainer, evaluation) with an engine that answers at once, in a worker of
 * its own. Only the history may grow, and not beyond its budget.
 */
export const growth: Benchmark = async ({ folder, quick }) => {
  await using engine = await startInstantEngine();
  await using temporal = await startTemporal(folder);

  const measure = async (questions: number) => {
    await using worker = await startBenchWorker({
      temporalAddress: temporal.address,
      storeRoot: join(folder, `store-${questions}`),
      engineUrl: engine.url,
      concurrency,
    });
    const before = Math.max(...(await worker.samples()).slice(-5).map(({ rss }) => rss));
    const began = Date.now();
    const { history } = await runExperiment(temporal.client, {
      name: `growth-${questions}`,
      seed: 0,
      baseModel,
      heldOut,
      train: questions,
    });
    const samples = await worker.samples();
    // The base and the fine-tuned agents answer the held-out questions.
    const answers = (questions + 2 * heldOut) * answersAQuestion;
    const peak = Math.max(...samples.map(({ rss }) => rss));
    return {
      questions,
      answers,
      before,
      peak,
      cpuMs: cpuBetween(samples, began, Date.now()) / answers,
      history,
    };
  };

  const sizes = [];
  for (const questions of quick ? [100, 200] : [1000, 10_000]) sizes.push(await measure(questions));
  const [few, many] = sizes;
  if (few === undefined || many === undefined) throw new Error('Two sizes are compared.');
  const ratios = { memory: many.peak / few.peak, cpu: many.cpuMs / few.cpuMs };
  const { events, bytes, largestPayload } = many.history;
  const kept = events < budget.events && bytes < budget.historyBytes && largestPayload < budget.payloadBytes;
  return {
    text: [
      table(
        [
          'training questions',
          'answers',
          'worker at rest',
          'peak',
          'CPU ms/answer',
          'events of the longest history',
          'its bytes',
          'largest payload',
        ],
        sizes.map((size) => [
          String(size.questions),
          String(size.answers),
          `${megabytes(size.before)} MB`,
          `${megabytes(size.peak)} MB`,
          size.cpuMs.toFixed(3),
          String(size.history.events),
          `${(size.history.bytes / 1000).toFixed(0)} kB`,
          `${(size.history.largestPayload / 1000).toFixed(1)} kB`,
        ]),
      ),
      `Peak memory ${ratios.memory.toFixed(2)} times (at most 1.2), CPU for an answer ${ratios.cpu.toFixed(2)} times (at most 1), history ${kept ? 'within' : 'BEYOND'} its budget.`,
      `One iteration, 3 agents, 2 rounds, shards of 32, and ${heldOut} held-out questions. Budget: ${budget.events} events, ${budget.historyBytes / 1e6} MB, payloads of ${budget.payloadBytes / 1000} kB.`,
    ].join('\n'),
    figures: { heldOut, budget, ratios, sizes },
  };
};

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
