import type { Dependencies } from '../activities/dependencies.ts';
import { loadEndpoints } from '../config/endpoints.ts';
import { createEndpoints } from '../engines/endpoints.ts';
import { createGpuGate } from '../engines/gpu-gate.ts';
import { createTrainer } from '../engines/trainer-process.ts';
import { openStore } from '../store/open-store.ts';
import { createGrader } from '../tasks/graders/grader.ts';

export type OpenDependencies = Dependencies & {
  /** Ends engines, trainer and grader with all their processes. */
  readonly close: () => Promise<void>;
};

/** The real dependencies of a worker. No process is started before it is needed. */
export function openDependencies(): OpenDependencies {
  const store = openStore();
  const endpoints = createEndpoints(loadEndpoints(), { logFolder: store.logs });
  const trainer = createTrainer({ logFolder: store.logs });
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
