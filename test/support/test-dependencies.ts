import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEndpoints } from '../../src/engines/endpoint/open.ts';
import { openStore } from '../../src/store/store.ts';
import { type OpenDependencies, openDependencies } from '../../src/workers/start.ts';

export type TestDependencies = {
  readonly storeRoot: string;
  /** Of several engines, which are one endpoint, if it is a list. */
  readonly engineUrl: string | readonly string[];
  readonly trainerArgs?: readonly string[];
  /** The environment variable with the key that the engine wants; by default none. */
  readonly apiKeyEnv?: string;
  /** What this worker calls the engine; by default `instant`. */
  readonly endpoint?: string;
  /** By default a vLLM server. */
  readonly kind?: 'vllm' | 'openai';
};

/** Requests that a worker has in flight at once. */
export const inFlight = 16;

/**
 * A worker's dependencies. All are real except the models: the instant engine answers and the instant trainer learns. The endpoint `local`
 * starts instant engines of its own.
 */
export function testDependencies({
  storeRoot,
  engineUrl,
  trainerArgs = [],
  apiKeyEnv,
  endpoint = 'instant',
  kind = 'vllm',
}: TestDependencies): OpenDependencies {
  const store = openStore(storeRoot);
  return openDependencies({
    store,
    endpoints: createEndpoints(
      {
        [endpoint]: { kind, url: [engineUrl].flat(), api_key_env: apiKeyEnv, max_concurrency: inFlight },
        local: { kind: 'local' },
      },
      {
        logFolder: store.logs,
        modelFolder: (key) => store.blobs.localCopy(store.model(key).name),
        engine: {
          command: [process.execPath, instantEngine],
          args: [
            '--starts',
            join(storeRoot, 'engine-starts.log'),
            '--asked',
            join(storeRoot, 'asked-of-engines.jsonl'),
          ],
        },
      },
    ),
    trainerConfigs: { local: { kind: 'process' } },
    trainerProcess: {
      command: [process.execPath, instantTrainer],
      args: trainerArgs,
      // It is never silent for long, except where a test holds it.
      stallMs: 15_000,
    },
  });
}

const instantEngine = fileURLToPath(new URL('./instant-engine.mjs', import.meta.url));
export const instantTrainer = fileURLToPath(new URL('./instant-trainer.mjs', import.meta.url));
