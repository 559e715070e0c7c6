/** The kind `process`: engine/train.py as a process of this worker, on the worker's own device. */
import type { TrainerJob } from '../../config/contract.ts';
import { trainerAbilities } from '../../config/trainers.ts';
import { modelOutput, storeModel } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { resolveModel } from '../endpoint/base-model.ts';
import {
  createTrainerProcess,
  runTrainingCheck,
  type TrainerProcessOptions,
} from '../process/trainer-process.ts';
import { createJobs, type FineTuneJob, jobId, type Trainer } from './trainer.ts';

export interface ProcessTrainerOptions extends Omit<TrainerProcessOptions, 'logFolder'> {
  readonly store: Store;
}

/** A trainer whose process is started by the first job. One job trains at a time; the others wait in order of arrival. */
export function createProcessTrainer({ store, ...options }: ProcessTrainerOptions): Trainer {
  const trainerProcess = createTrainerProcess({ ...options, logFolder: store.logs });
  const jobs = createJobs(store, (key, job, { signal, onEvent }) => {
    const accepted = localJob(store, key, job);
    const done = accepted.then(async (local) => {
      await trainerProcess.fineTune(local, { signal, onEvent });
      await storeModel(store, key);
    });
    return { accepted, done };
  });
  return {
    ...trainerAbilities('process', { kind: 'process' }),
    ...jobs,
    outlivesWorker: false,
    check: (base, check, signal) =>
      runTrainingCheck(resolveModel(base.name), check, { ...options, logFolder: store.logs }, signal),
    async close() {
      await jobs.close();
      await trainerProcess.close();
    },
  };
}

/** The job with paths in place of references. @throws ArtifactMissing, ModelFolderMissing */
export async function localJob(store: Store, key: string, job: FineTuneJob): Promise<TrainerJob> {
  const { base, tuned } = job.init;
  const local = (name: string): Promise<string> => store.blobs.localCopy(name);
  return {
    id: jobId(key),
    base_model: resolveModel(base.name),
    init_model: tuned === null ? null : await local(store.model(tuned.key).name),
    dataset: await local(job.dataset.uri),
    output_dir: modelOutput(store, key),
    checkpoint_dir: store.checkpoints(key),
    seed: job.seed,
    settings: job.settings,
  };
}
