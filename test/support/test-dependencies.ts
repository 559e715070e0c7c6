import { fileURLToPath } from 'node:url';
import { createEndpoints } from '../../src/engines/endpoints.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { createTrainer } from '../../src/engines/trainer-process.ts';
import { openStore } from '../../src/store/open-store.ts';
import { createGrader } from '../../src/tasks/graders/grader.ts';
import type { OpenDependencies } from '../../src/workers/open-dependencies.ts';

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
  const endpoints = createEndpoints(
    { instant: { kind: 'vllm', url: engineUrl, max_concurrency: 16 } },
    { logFolder: store.logs },
  );
  const trainer = createTrainer({
    logFolder: store.logs,
    command: [process.execPath, fileURLToPath(new URL('./instant-trainer.mjs', import.meta.url))],
    args: trainerArgs,
  });
  const grader = createGrader();
  return {
    store,
    endpoints,
    trainer,
    grader,
    gate: createGpuGate(),
    close: async () => {
      await Promise.allSettled([endpoints.close(), trainer.close(), grader.close()]);
    },
  };
}
