/** `npm run test:s3`: tests on a real S3 server, which scripts/setup-s3.mjs builds. One file at a time. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/s3/*.s3.ts'],
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
    globalSetup: ['test/setup/temporal-server.ts', 'test/setup/workflow-bundle.ts'],
  },
});
