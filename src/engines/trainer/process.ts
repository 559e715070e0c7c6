/** The kind `process`: engine/train.py as processes of this worker, on the worker's own device. */
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { TrainerDone, TrainerJob, TrainerProgress } from '../../config/contract.ts';
import { trainerAbilities } from '../../config/trainers.ts';
import { modelOutput, storeModel } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { onAbort } from '../waiting.ts';
import { resolveModel } from '../endpoint/base-model.ts';
import {
  createTrainerProcess,
  type FineTuneOptions,
  runTrainingCheck,
  type TrainerProcess,
  type TrainerProcessOptions,
} from '../process/trainer-process.ts';
import { createJobs, type FineTuneJob, jobId, type Trainer } from './trainer.ts';

export interface ProcessTrainerOptions extends Omit<TrainerProcessOptions, 'logFolder'> {
  readonly store: Store;
}

/** A trainer whose first process is started by the first job. */
export function createProcessTrainer({ store, ...options }: ProcessTrainerOptions): Trainer {
  const processes = createTrainerProcesses(() => createTrainerProcess({ ...options, logFolder: store.logs }));
  const jobs = createJobs(store, (key, job, { signal, onEvent }) => {
    const accepted = localJob(store, key, job);
    const done = accepted.then(async (local) => {
      const length = job.dataset.bytes * job.settings.num_train_epochs;
      await processes.fineTune(local, { signal, onEvent, iteration: dirname(job.dataset.uri), length });
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
      await processes.close();
    },
  };
}

interface TrainerProcesses extends Pick<TrainerProcess, 'close'> {
  /** As `TrainerProcess.fineTune`, when it is the job's turn. */
  fineTune(job: TrainerJob, options: FineTuneOptions & Turn): Promise<TrainerDone>;
}

/** When a job's turn is. */
type Turn = {
  /** What the jobs of one iteration have in common. */
  readonly iteration: string;
  /** How long it takes, compared with the other jobs of its iteration. */
  readonly length: number;
};

/**
 * The training processes of a trainer: one, and more of them on a CPU where one job does not use all cores. Then jobs train side by side, as many
 * as there are cores, in half of the memory that is free. How much a job takes is known after the first step with its base model; until then it
 * trains alone. Iterations have their turns in order of arrival. Of the jobs of one, the longest begins first, so that none is left to train alone
 * at the end.
 *
 * @param create another process, not started yet
 * @param memory bytes that are free
 */
export function createTrainerProcesses(
  create: () => TrainerProcess,
  memory: () => number = () => process.availableMemory(),
  cores: number = availableParallelism(),
): TrainerProcesses {
  const all: TrainerProcess[] = [];
  const idle: TrainerProcess[] = [];
  /** Those that have not finished a job: they have not yet taken all the memory that they will. */
  const growing = new Set<TrainerProcess>();
  /** The jobs that train, by their base models. */
  const training: string[] = [];
  const queue: (Turn & { readonly base: string; readonly enter: (one: TrainerProcess) => void })[] = [];
  /** Bytes of one more process with this base model; null where a job of it uses the whole machine. */
  const memoryOf = new Map<string, number | null>();

  function mayBegin(base: string): boolean {
    if (training.length === 0) return true;
    const needed = memoryOf.get(base) ?? null;
    const beside = training.every((other) => (memoryOf.get(other) ?? null) !== null);
    if (needed === null || !beside || training.length >= cores) return false;
    return idle.length > 0 || needed * (growing.size + 1) <= memory() / 2;
  }

  function admit(): void {
    for (let next = nextJob(); next !== undefined && mayBegin(next.base); next = nextJob()) {
      queue.splice(queue.indexOf(next), 1);
      training.push(next.base);
      next.enter(idle.pop() ?? start());
    }
  }

  function nextJob(): (typeof queue)[number] | undefined {
    const [first] = queue;
    if (first === undefined) return undefined;
    const together = queue.filter(
      ({ iteration, base }) => iteration === first.iteration && base === first.base,
    );
    return together.reduce((longest, each) => (each.length > longest.length ? each : longest), first);
  }

  function start(): TrainerProcess {
    const one = create();
    all.push(one);
    growing.add(one);
    return one;
  }

  /** The process that a job trains in, when it is the job's turn. */
  async function turn(
    base: string,
    { iteration, length, signal }: Turn & FineTuneOptions,
  ): Promise<TrainerProcess> {
    signal.throwIfAborted();
    return new Promise<TrainerProcess>((resolve, reject) => {
      const enter = (one: TrainerProcess): void => {
        stopListening();
        resolve(one);
      };
      const waiting = { base, iteration, length, enter };
      const stopListening = onAbort(signal, () => {
        queue.splice(queue.indexOf(waiting), 1);
        // The reason is the caller's own; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(signal.reason);
        admit();
      });
      queue.push(waiting);
      admit();
    });
  }

  return {
    async fineTune(job, fineTuneOptions) {
      const { base_model: base } = job;
      const { signal, onEvent } = fineTuneOptions;
      const one = await turn(base, fineTuneOptions);
      const learn = (event: TrainerProgress): void => {
        if (event.event === 'step' && !memoryOf.has(base)) {
          memoryOf.set(base, event.memory);
          admit();
        }
        onEvent?.(event);
      };
      try {
        const done = await one.fineTune(job, { signal, onEvent: learn });
        memoryOf.set(base, done.memory);
        growing.delete(one);
        idle.push(one);
        return done;
      } catch (error) {
        // A job that was stopped leaves its process. After another failure it has ended, perhaps for want of memory.
        if (signal.aborted) idle.push(one);
        else {
          all.splice(all.indexOf(one), 1);
          growing.delete(one);
        }
        throw error;
      } finally {
        training.splice(training.indexOf(base), 1);
        admit();
      }
    },
    async close() {
      await Promise.all(all.map((each) => each.close()));
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
