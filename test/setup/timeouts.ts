/** Where other files use all cores, an experiment can take ten times as long as alone: files that start servers and workers have more time. */
import { expect, vi } from 'vitest';

const withWorkers =
  /[/\\]test[/\\](?:(?:workflows|faults|hostile|observe|workers|engine)[/\\]|cli[/\\](?:schedule|study|experiment[/\\]start)\.test\.ts$)/;

// A process that runs several test files comes here for each of them.
vi.resetConfig();
if (withWorkers.test(expect.getState().testPath ?? ''))
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
