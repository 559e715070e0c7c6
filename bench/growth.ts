import { join } from 'node:path';
import { startInstantEngine } from '../test/support/instant-engine.ts';
import type { Benchmark } from './benchmark.ts';
import { answersAQuestion, runExperiment } from './run-experiment.ts';
import { table } from './table.ts';
import { startTemporal } from './temporal.ts';
import { startBenchWorker } from './worker.ts';

const baseModel = 'instant';
const concurrency = 64;
const heldOut = 500;

/**
 * How memory of the worker and history grow with the training questions of an iteration: a whole iteration each (debates,
 * datasets, fine-tunes by an instant trainer, evaluation), in a worker of its own. What does not grow with them is what is meant.
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
    const run = await runExperiment(temporal.client, {
      name: `growth-${questions}`,
      seed: 0,
      baseModel,
      heldOut,
      train: questions,
    });
    const peak = Math.max(...(await worker.samples()).map(({ rss }) => rss));
    const { events, bytes } = run.history;
    return { questions, answers: (questions + heldOut) * answersAQuestion, before, peak, events, bytes };
  };

  const sizes = [];
  for (const questions of quick ? [100, 200] : [1000, 5000]) sizes.push(await measure(questions));
  return {
    text: [
      table(
        ['training questions', 'worker at rest', 'peak', "events of the longest run's history", 'its bytes'],
        sizes.map(({ questions, before, peak, events, bytes }) => [
          String(questions),
          `${megabytes(before)} MB`,
          `${megabytes(peak)} MB`,
          String(events),
          `${(bytes / 1000).toFixed(0)} kB`,
        ]),
      ),
      `One iteration, 3 agents, 2 rounds, shards of 32, and ${heldOut} held-out questions. Temporal's limits: 51,200 events, 50 MB.`,
    ].join('\n'),
    figures: { heldOut, sizes },
  };
};

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
