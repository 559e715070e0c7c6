/** `npm run test:hosts`: a cluster of hosts that are namespaces of this machine. Needs root and iproute2; see docs/scaling.md. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/hosts/*.hosts.ts'],
    fileParallelism: false,
    testTimeout: 1_200_000,
    hookTimeout: 600_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
