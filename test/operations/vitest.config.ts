/** `npm run test:operations`: several experiments that share a worker, and the benchmarks, which nothing else runs. Each file has a server of its own. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/operations/*.operations.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
