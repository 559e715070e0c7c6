/**
 * How the tests run, in two projects. `temporal`: files that start servers and workers, with one Temporal dev server for all of them,
 * which starts when a file asks for it. `shared`: all other files. In both a process runs many files and loads each module once, so a
 * file leaves nothing behind. No test can reach another machine.
 */
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.ts';

const temporal = [
  'test/{workflows,faults,hostile,observe,workers,engine}/**/*.test.ts',
  'test/cli/{schedule,study,experiment/start}.test.ts',
];
const json = process.env['COLLOQUY_TEST_JSON'];

export default defineConfig({
  test: {
    pool: 'forks',
    // One more than the cores: some files mostly wait, for a missed heartbeat, a schedule's next second or a process that loads.
    maxWorkers: Math.min(8, availableParallelism() + 1),
    sequence: { sequencer: LongestFirst },
    // Of the tests within a file that say they may run at once: they wait for missed heartbeats, and start processes.
    maxConcurrency: 4,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    isolate: false,
    setupFiles: ['test/setup/loopback-only.ts'],
    // Reported to .ci/run, which prints the total of vitest's and pytest's numbers.
    reporters: json ? ['default', 'json'] : ['default'],
    ...(json ? { outputFile: { json } } : {}),
    projects: [
      {
        extends: true,
        test: {
          name: 'temporal',
          include: temporal,
          // Where other files use all cores, an experiment can take ten times as long as alone.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ['test/setup/temporal-server.ts', 'test/setup/workflow-bundle.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: [...configDefaults.exclude, ...temporal],
        },
      },
    ],
  },
});
