/** Where other files use all cores, an experiment can take ten times as long as alone: files that start servers and workers have more time. */
import { expect, vi } from 'vitest';
import { leaveChartsOut } from '../support/charts.ts';

const withWorkers =
  /[/\\]test[/\\](?:(?:workflows|faults|hostile|observe|workers|engine)[/\\]|cli[/\\](?:schedule|study|experiment[/\\]start)\.test\.ts$)/;

// A process that runs several test files comes here for each of them.
vi.resetConfig();
const path = expect.getState().testPath ?? '';
if (withWorkers.test(path)) vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
// They look at what experiments make, and not at the charts of their reports, which test/report looks at; a test that does asks for them.
leaveChartsOut(withWorkers.test(path) && !/[/\\]test[/\\]hostile[/\\]/.test(path));
