/**
 * How the tests run. A process runs many files and loads each module once, so a file leaves nothing behind. All files share one Temporal
 * dev server and one bundle of the workflows, which are made when a file asks for them. No test can reach another machine.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.ts';

const json = process.env['COLLOQUY_TEST_JSON'];

const charts = fileURLToPath(new URL('./test/support/charts.ts', import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^vega(-lite)?$/, replacement: charts }] },
  test: {
    pool: 'forks',
    include: ['test/**/*.test.{ts,tsx}'],
    // Two more than the cores: some files mostly wait, for a missed heartbeat, a schedule's next second or a process that loads.
    maxWorkers: Math.min(8, availableParallelism() + 2),
    sequence: { sequencer: LongestFirst },
    // Of the tests within a file that say they may run at once: they wait for missed heartbeats, and start processes.
    maxConcurrency: 4,
    // Files that start workers have more time: test/setup/timeouts.ts.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    isolate: false,
    setupFiles: [
      ...['loopback-only', 'timeouts', 'temporary-folders'].map((name) => `test/setup/${name}.ts`),
      ...(process.env['COLLOQUY_TEST_CPU'] ? ['test/setup/cpu-seconds.ts'] : []),
    ],
    globalSetup: ['temporal-server', 'workflow-bundle', 'warm-python'].map((name) => `test/setup/${name}.ts`),
    // Reported to .ci/run, which prints the total of vitest's and pytest's numbers.
    reporters: json ? ['default', 'json'] : ['default'],
    ...(json ? { outputFile: { json } } : {}),
  },
});
