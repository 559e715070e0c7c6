/** `npm run test:ui`: the pages of `colloquy ui` in the machine's own Chromium. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/ui/*.ui.ts'],
    // A page takes a second on an idle machine.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    setupFiles: ['test/setup/loopback-only.ts', 'test/setup/temporary-folders.ts'],
  },
});
