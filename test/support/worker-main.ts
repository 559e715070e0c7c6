/** A worker in a process of its own, to be killed: `worker-main.ts STORE ENGINE_URL [TRAINER_ARGS...]`. Prints `ready`. */
import { startWorkers } from '../../src/workers/start-workers.ts';
import { testDependencies } from './test-dependencies.ts';

const [storeRoot = '', engineUrl = '', ...trainerArgs] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await startWorkers({
  signal: stop.signal,
  dependencies: testDependencies({ storeRoot, engineUrl, trainerArgs }),
  // oxlint-disable-next-line no-console -- the test waits for this line
  onReady: () => console.log('ready'),
});
process.exit(0);
