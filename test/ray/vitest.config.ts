/** `npm run test:ray`: tests on a real Ray, which scripts/setup-ray.mjs installs. One file at a time: a head fills a small machine. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/ray/*.ray.ts'],
    fileParallelism: false,
    // A job takes 20 s on an idle machine, and minutes on a busy one.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
