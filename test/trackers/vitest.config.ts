/** `npm run test:trackers`: tests on real trackers, which scripts/setup-trackers.mjs installs. One file at a time: their servers are large. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/trackers/*.trackers.ts'],
    fileParallelism: false,
    // A server is up after seconds on an idle machine, and after minutes on a busy one.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
