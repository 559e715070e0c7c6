/** `npm run test:package`: the npm package, installed from its tarball into an empty folder. It needs the registry of npm. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/package/*.package.ts'],
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
