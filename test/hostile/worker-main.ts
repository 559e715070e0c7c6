/** A worker whose engine is at ENGINE_URL and wants the key in COLLOQUY_CANARY_KEY: `worker-main.ts STORE ENGINE_URL`. Prints `ready`. */
import { fileURLToPath } from 'node:url';
import { createEndpoints } from '../../src/engines/endpoints.ts';
import { createTrainer } from '../../src/engines/trainer-process.ts';
import { openStore } from '../../src/store/open-store.ts';
import { openDependencies } from '../../src/workers/open-dependencies.ts';
import { startWorkers } from '../../src/workers/start-workers.ts';

const [storeRoot = '', url = ''] = process.argv.slice(2);
const store = openStore(storeRoot);
const trainer = fileURLToPath(new URL('../support/instant-trainer.mjs', import.meta.url));
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await startWorkers({
  signal: stop.signal,
  dependencies: openDependencies({
    store,
    endpoints: createEndpoints(
      { instant: { kind: 'vllm', url, api_key_env: 'COLLOQUY_CANARY_KEY', max_concurrency: 16 } },
      { logFolder: store.logs },
    ),
    trainer: createTrainer({
      logFolder: store.logs,
      command: [process.execPath, trainer],
      args: ['--step-ms', '100'],
    }),
  }),
  // oxlint-disable-next-line no-console -- the test waits for this line
  onReady: () => console.log('ready'),
});
process.exit(0);
