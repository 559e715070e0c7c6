import { join } from 'node:path';
import { z } from 'zod';
import { workerNodeFlags } from '../src/cli/server/local-server.ts';
import { projectRoot } from '../src/config/installation.ts';
import { startChild } from './child.ts';

const samplesSchema = z.array(z.object({ at: z.number(), cpuMs: z.number(), rss: z.number() }));
/** What the worker's process had used at a moment: `at` as Date.now(), CPU milliseconds since its start, bytes of memory. */
export type Sample = z.infer<typeof samplesSchema>[number];

export type BenchWorker = AsyncDisposable & {
  /** Since they were last asked for, 20 a second. */
  readonly samples: () => Promise<Sample[]>;
  /** From now on keeps every request to the engine, in the order in which they were made. */
  readonly record: () => Promise<void>;
  /** Writes them to `path` as one JSON array, and keeps no more. */
  readonly requests: (path: string) => Promise<void>;
  /** Takes a CPU profile of the main thread while `work` goes on, and writes it to `path`. Returns when it began. */
  readonly profiling: (path: string, work: () => Promise<void>) => Promise<number>;
};

/** Colloquy's worker with all its queues in a process of its own, its endpoint `bench` at `engineUrl`, and an instant trainer. */
export async function startBenchWorker(settings: {
  readonly temporalAddress: string;
  readonly storeRoot: string;
  readonly engineUrl: string;
  /** Requests in flight. */
  readonly concurrency: number;
  /** The checkout of Colloquy whose code it runs; this one by default. */
  readonly checkout?: string;
  readonly namespace?: string;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<BenchWorker> {
  const { checkout = projectRoot, namespace = 'default', environment = {} } = settings;
  const child = await startChild(
    join(checkout, 'bench', 'worker-main.ts'),
    [settings.storeRoot, settings.engineUrl, String(settings.concurrency)],
    { TEMPORAL_ADDRESS: settings.temporalAddress, TEMPORAL_NAMESPACE: namespace, ...environment },
    checkout,
    workerNodeFlags,
  );
  return {
    samples: async () => samplesSchema.parse(await child.ask('samples')),
    record: async () => void (await child.ask('record')),
    requests: async (path) => void (await child.ask('requests', path)),
    profiling: async (path, work) => {
      const began = z.number().parse(await child.ask('profile'));
      await work();
      await child.ask('profiled', path);
      return began;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** CPU milliseconds used between two moments (as Date.now()), between samples by interpolation. */
export function cpuBetween(samples: readonly Sample[], from: number, to: number): number {
  return cpuAt(samples, to) - cpuAt(samples, from);
}

function cpuAt(samples: readonly Sample[], at: number): number {
  const next = samples.findIndex((sample) => sample.at >= at);
  const after = samples.at(next);
  const before = samples.at(next === -1 ? -1 : Math.max(0, next - 1));
  if (before === undefined || after === undefined) throw new Error('The worker took no sample.');
  if (after.at === before.at) return after.cpuMs;
  return before.cpuMs + ((after.cpuMs - before.cpuMs) * (at - before.at)) / (after.at - before.at);
}
