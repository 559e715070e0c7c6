import { fileURLToPath } from 'node:url';
import { createEndpoints } from '../../src/engines/endpoints.ts';
import { createTrainer } from '../../src/engines/trainer-process.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type OpenDependencies, openDependencies } from '../../src/workers/open-dependencies.ts';

/** A worker's dependencies, real but for the models: the instant engine answers and the instant trainer learns. */
export function testDependencies({
  storeRoot,
  engineUrl,
  trainerArgs = [],
}: {
  readonly storeRoot: string;
  readonly engineUrl: string;
  readonly trainerArgs?: readonly string[];
}): OpenDependencies {
  const store = openStore(storeRoot);
  return openDependencies({
    store,
    endpoints: createEndpoints(
      { instant: { kind: 'vllm', url: engineUrl, max_concurrency: 16 } },
      { logFolder: store.logs },
    ),
    trainer: createTrainer({
      logFolder: store.logs,
      command: [process.execPath, fileURLToPath(new URL('./instant-trainer.mjs', import.meta.url))],
      args: trainerArgs,
    }),
  });
}
