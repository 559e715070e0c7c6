import type { Dependencies } from '../activities/dependencies.ts';
import { loadEndpoints } from '../config/endpoints.ts';
import { createEndpoints } from '../engines/endpoints.ts';
import { createGpuGate } from '../engines/gpu-gate.ts';
import { createTrainer } from '../engines/trainer-process.ts';
import { openStore } from '../store/open-store.ts';
import { report } from '../telemetry/reports.ts';
import { createGrader } from '../tasks/graders/grader.ts';

export type OpenDependencies = Dependencies & {
  /** Ends engines, trainer and grader with all their processes. */
  readonly close: () => Promise<void>;
};

/** A worker's dependencies: the real ones, but for those that are given. No process is started before it is needed. */
export function openDependencies({
  store = openStore(),
  endpoints = createEndpoints(loadEndpoints(), { logFolder: store.logs }),
  trainer = createTrainer({ logFolder: store.logs }),
}: Partial<Pick<Dependencies, 'store' | 'endpoints' | 'trainer'>> = {}): OpenDependencies {
  const grader = createGrader();
  return {
    store,
    endpoints,
    trainer,
    grader,
    searchAttributes: false,
    gate: createGpuGate((wait) => report('gate passed', wait)),
    close: async () => {
      await Promise.allSettled([endpoints.close(), trainer.close(), grader.close()]);
    },
  };
}
