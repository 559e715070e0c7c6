/**
 * How the tests run: each file in a process of its own (Temporal's core is a native addon), one Temporal dev server for
 * all of them (started only when a file asks for it), and no way to reach a network other than this machine's own.
 */
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Of the tests within a file that say they may run at once: they wait for missed heartbeats, and start processes.
    maxConcurrency: 4,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    globalSetup: ['test/setup/temporal-server.ts', 'test/setup/workflow-bundle.ts'],
    setupFiles: ['test/setup/loopback-only.ts'],
    // Reported to .ci/run, which prints the total of vitest's and pytest's numbers.
    reporters: process.env['COLLOQUY_TEST_JSON'] ? ['default', 'json'] : ['default'],
    ...(process.env['COLLOQUY_TEST_JSON'] ? { outputFile: { json: process.env['COLLOQUY_TEST_JSON'] } } : {}),
  },
});
