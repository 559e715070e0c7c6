/** The kind `process`: engine/train.py as a process of this worker, on the worker's own device. */
import type { TrainerJob, TrainerProgress } from '../../config/contract.ts';
import { findModel, modelOutput, storeModel } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { abortable } from '../abort.ts';
import { resolveModel } from '../endpoint/base-model.ts';
import {
  createTrainerProcess,
  runTrainingCheck,
  type TrainerProcessOptions,
} from '../process/trainer-process.ts';
import { EngineClosed } from '../errors.ts';
import { FineTuneNotSubmitted, FineTuneStopped } from './errors.ts';
import type { FineTuneJob, Trainer } from './trainer.ts';

export interface ProcessTrainerOptions extends Omit<TrainerProcessOptions, 'logFolder'> {
  readonly store: Store;
}

/** A trainer whose process is started by the first job. One job trains at a time; the others wait in order of arrival. */
export function createProcessTrainer({ store, ...options }: ProcessTrainerOptions): Trainer {
  const trainerProcess = createTrainerProcess({ ...options, logFolder: store.logs });
  /** Jobs that run or wait, and jobs that failed and were not submitted again. */
  const runs = new Map<string, Run>();
  let closed = false;

  /** Begins a job. There is no await before the job is in `runs`, so that two callers cannot begin it twice. */
  function begin(key: string, job: FineTuneJob): Run {
    const stopping = new AbortController();
    const events = createEventLog();
    const accepted = findModel(store, key).then((found) =>
      found === null ? localJob(store, key, job) : null,
    );
    const over = accepted
      .then(async (local) => {
        if (local === null) return;
        await trainerProcess.fineTune(local, { signal: stopping.signal, onEvent: events.add });
        await storeModel(store, key);
      })
      .then(
        () => {
          // From now on the store answers for it.
          runs.delete(key);
          events.end({});
        },
        (failure: unknown) => events.end({ failure }),
      );
    const run = { accepted, over, stopping, events };
    runs.set(key, run);
    return run;
  }

  async function stop(key: string): Promise<void> {
    const run = runs.get(key);
    if (run === undefined || run.events.ended()) return;
    run.stopping.abort(new FineTuneStopped(jobId(key)));
    await run.over;
  }

  return {
    check: (base, check, signal) =>
      runTrainingCheck(resolveModel(base.name), check, { ...options, logFolder: store.logs }, signal),

    async submit(key, job) {
      if (closed) throw new EngineClosed('The trainer');
      let run = runs.get(key);
      while (run?.stopping.signal.aborted && !run.events.ended()) {
        await run.over;
        run = runs.get(key);
      }
      if (run === undefined || run.events.ended()) run = begin(key, job);
      await run.accepted;
    },

    async *watch(key, signal) {
      const run = runs.get(key);
      if (run !== undefined) yield* run.events.follow(signal);
      else if ((await findModel(store, key)) === null) throw new FineTuneNotSubmitted(jobId(key));
    },

    stop,

    async close() {
      closed = true;
      await Promise.all([...runs.keys()].map(stop));
      await trainerProcess.close();
    },
  };
}

/** The id under which train.py and its messages know a job. */
export function jobId(key: string): string {
  return key.slice(0, 16);
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

/** A submitted job. */
interface Run {
  /** Resolves with what train.py is given; null when the model is finished already. */
  readonly accepted: Promise<TrainerJob | null>;
  /** Resolves when the job has ended, whether it failed or not. */
  readonly over: Promise<void>;
  /** Aborted by `stop`. */
  readonly stopping: AbortController;
  readonly events: EventLog;
}

/** The events of a job, for any number of callers who follow it. */
interface EventLog {
  readonly add: (event: TrainerProgress) => void;
  readonly end: (ending: Ending) => void;
  readonly ended: () => boolean;
  /** The newest event, then each one that follows. Throws the failure at the end. */
  readonly follow: (signal: AbortSignal) => AsyncGenerator<TrainerProgress, void>;
}

type Ending = { readonly failure?: unknown };

/** Those who follow a job more slowly than its events come miss some. */
const keptEvents = 1_000;

function createEventLog(): EventLog {
  const events: TrainerProgress[] = [];
  /** How many events came before the first of these. */
  let forgotten = 0;
  let ending: Ending | undefined;
  /** What wakes each caller that waits for news. */
  const waiting: (() => void)[] = [];

  function wakeAll(): void {
    for (const wake of waiting.splice(0)) wake();
  }

  return {
    add(event) {
      events.push(event);
      if (events.length === 2 * keptEvents) {
        events.splice(0, keptEvents);
        forgotten += keptEvents;
      }
      wakeAll();
    },
    end(how) {
      ending = how;
      wakeAll();
    },
    ended: () => ending !== undefined,
    async *follow(signal) {
      let next = Math.max(0, forgotten + events.length - 1);
      for (;;) {
        const unseen = events.slice(Math.max(0, next - forgotten));
        next = forgotten + events.length;
        yield* unseen;
        if (next < forgotten + events.length) continue;
        if (ending !== undefined) {
          if ('failure' in ending) throw ending.failure;
          return;
        }
        await abortable(new Promise<void>((resolve) => waiting.push(resolve)), signal);
      }
    },
  };
}
