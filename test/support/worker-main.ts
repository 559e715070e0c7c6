/** A worker in a process of its own, to be killed: `worker-main.ts OPTIONS`, JSON of TestDependencies. Prints `ready`. */
import { startWorkers } from '../../src/workers/start-workers.ts';
import { testDependencies, type TestDependencies } from './test-dependencies.ts';

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
await startWorkers({
  signal: stop.signal,
  dependencies: testDependencies(JSON.parse(process.argv[2] ?? '') as TestDependencies),
  // oxlint-disable-next-line no-console -- the test waits for this line
  onReady: () => console.log('ready'),
});
process.exit(0);
