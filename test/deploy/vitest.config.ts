/** `npm run test:deploy`: the Dockerfile, compose.yaml and the chart, by the programs that scripts/setup-deploy.mjs installs. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/deploy/*.deploy.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
