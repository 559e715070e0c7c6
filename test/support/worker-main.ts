/**
 * A worker in a process of its own, to be killed: `worker-main.ts OPTIONS`, JSON of TestDependencies. Prints `ready`; then, for each
 * line that it is given, `free` when nothing holds the GPU gate, or `held` when something does for 10 s.
 */
import { createInterface } from 'node:readline';
import { startWorkers } from '../../src/workers/start.ts';
import { sharedBundle } from './shared-bundle.ts';
import { testDependencies, type TestDependencies } from './test-dependencies.ts';

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
const dependencies = testDependencies(JSON.parse(process.argv[2] ?? '') as TestDependencies);
createInterface({ input: process.stdin }).on('line', () => {
  const patience = AbortSignal.timeout(10_000);
  const gate = dependencies.gate.exclusive(patience, async () => 'free').catch(() => 'held');
  // oxlint-disable-next-line no-console -- the test waits for this line
  void gate.then((state) => console.log(state));
});
await startWorkers({
  signal: stop.signal,
  dependencies,
  bundle: sharedBundle,
  // oxlint-disable-next-line no-console -- the test waits for this line
  onReady: () => console.log('ready'),
});
process.exit(0);
