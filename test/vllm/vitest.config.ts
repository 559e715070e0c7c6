/** `npm run test:vllm`: tests on a real vLLM, which scripts/setup-vllm.mjs installs. One file at a time: a server fills a small machine. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/vllm/*.vllm.ts'],
    fileParallelism: false,
    // A start takes 30 s on an idle machine, and minutes on a busy one.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
