import { fileURLToPath } from 'node:url';
import { createEndpoints } from '../../src/engines/endpoint/open.ts';
import { createTrainer } from '../../src/engines/trainer/process.ts';
import { openStore } from '../../src/store/store.ts';
import { type OpenDependencies, openDependencies } from '../../src/workers/start.ts';

export type TestDependencies = {
  readonly storeRoot: string;
  readonly engineUrl: string;
  readonly trainerArgs?: readonly string[];
  /** The environment variable with the key that the engine wants; default: none. */
  readonly apiKeyEnv?: string;
  /** Default: a vLLM server. */
  readonly kind?: 'vllm' | 'openai';
};

/** Requests that a worker has in flight at once. */
export const inFlight = 16;

/** A worker's dependencies, real but for the models: the instant engine answers and the instant trainer learns. */
export function testDependencies({
  storeRoot,
  engineUrl,
  trainerArgs = [],
  apiKeyEnv,
  kind = 'vllm',
}: TestDependencies): OpenDependencies {
  const store = openStore(storeRoot);
  return openDependencies({
    store,
    endpoints: createEndpoints(
      { instant: { kind, url: engineUrl, api_key_env: apiKeyEnv, max_concurrency: inFlight } },
      { logFolder: store.logs, modelFolder: (key) => store.blobs.localCopy(store.model(key).name) },
    ),
    trainer: createTrainer({
      logFolder: store.logs,
      command: [process.execPath, fileURLToPath(new URL('./instant-trainer.mjs', import.meta.url))],
      args: trainerArgs,
      // It never takes long to say something, but where a test lets it wait.
      stallMs: 15_000,
    }),
  });
}
