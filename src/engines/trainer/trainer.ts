/**
 * The port to what fine-tunes: what every kind of trainer does (test/engines/trainer.contract.ts); and the jobs of a trainer in this worker, which
 * some kinds share.
 */
import type { TrainerProgress, TrainerSettings } from '../../config/contract.ts';
import type { TrainingCheck } from '../../config/server-contract.ts';
import type { TrainerAbilities } from '../../config/trainers.ts';
import type { ArtifactRef } from '../../store/files/sealed.ts';
import { type BaseModel, findModel, type Model } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { abortable } from '../waiting.ts';
import { EngineClosed } from '../errors.ts';
import { FineTuneNotSubmitted, FineTuneStopped } from './errors.ts';

/**
 * What to train. Files are named by their references in the store, never by paths, so that a trainer may run on another machine. The
 * new model is put into the store under the job's key.
 */
export type FineTuneJob = {
  /** The model that training starts from. The new model has the same base. */
  readonly init: Model;
  /** The rows to learn from. */
  readonly dataset: ArtifactRef;
  readonly seed: number;
  readonly settings: TrainerSettings;
};

/** A step of a fine-tune. A server that trains does not state its speed and its learning rate. */
type Step = Extract<TrainerProgress, { event: 'step' }>;
type ReportedStep = Omit<Step, 'id' | 'learning_rate' | 'tokens_per_second' | 'epoch' | 'memory'> & {
  readonly learning_rate: number | null;
  readonly tokens_per_second: number | null;
};

/** A job that another machine has accepted and not begun. */
export type Waiting = {
  readonly event: 'waiting';
  /** Its id there. */
  readonly job: string;
  /** Its state, in the word of that machine. */
  readonly state: string;
  /** Since when, and until when it is waited for. */
  readonly since: Date;
  readonly until: Date;
};

/** What a trainer reports of a job. */
export type JobProgress = Exclude<TrainerProgress, Step> | ReportedStep | Waiting;

/** What people see of a running fine-tune. */
export function shown(event: JobProgress): object {
  if (event.event === 'waiting') {
    const { job, state, since, until } = event;
    return { waits: { job, state, since: since.toISOString(), until: until.toISOString() } };
  }
  if (event.event === 'started')
    return {
      waits: undefined,
      step: event.resumed_from_step,
      totalSteps: event.total_steps,
      rows: event.rows,
      droppedRows: event.dropped_rows,
    };
  if (event.event === 'micro_batch') return { step: event.step, microBatch: event.rows };
  if (event.event !== 'step') return { checkpoint: event.step };
  return {
    step: event.step,
    totalSteps: event.total_steps,
    loss: event.loss,
    tokensPerSecond: event.tokens_per_second,
  };
}

/**
 * Fine-tunes models. A job's key is the content address of the model that it makes (`modelKey`), and so the job's own id. The model's
 * manifest in the store is the only proof that a job is done: the end of `watch` alone is no proof.
 */
export interface Trainer extends TrainerAbilities {
  /**
   * Whether its jobs go on when this worker ends. Such a job is stopped only when its experiment is, and `close` leaves it alone: the next attempt
   * finds it.
   */
  readonly outlivesWorker: boolean;
  /**
   * Rows like these and these target modules can be trained on this base model.
   *
   * @throws TrainingImpossible; FineTuneFailed and TrainerExited when it cannot be found out; ModelFolderMissing; the signal's reason
   */
  check(base: Pick<BaseModel, 'name'>, check: TrainingCheck, signal: AbortSignal): Promise<void>;
  /**
   * Has a model made, and resolves when the job is accepted. Nothing happens when the job is accepted already or when the store has the
   * finished model. A job that was stopped or that failed continues from its newest complete checkpoint; a trainer without checkpoints of its own begins it again.
   *
   * @throws ArtifactMissing, ModelFolderMissing when a file of the job is not there
   */
  submit(key: string, job: FineTuneJob): Promise<void>;
  /**
   * Reports a job: first the newest event that it has had, if any, then each event that follows. Ends when the model is finished. Several
   * callers may watch a job at once, also those that did not submit it.
   *
   * @throws the job's failure; FineTuneStopped after `stop`; FineTuneNotSubmitted when there is neither a job nor a finished model;
   *   the signal's reason, and the job goes on
   */
  watch(key: string, signal: AbortSignal): AsyncIterable<JobProgress>;
  /**
   * Stops a job after a checkpoint, or takes it out of the queue. Resolves when the job writes nothing any more; nothing happens when
   * there is no such job.
   */
  stop(key: string): Promise<void>;
  /** Stops all jobs, ends what the trainer has started, and refuses further jobs (EngineClosed). */
  close(): Promise<void>;
}

/** How a kind of trainer carries out a job whose model is not finished. */
export type CarryOut = (key: string, job: FineTuneJob, running: RunningJob) => JobUnderWay;

export type RunningJob = {
  /** Aborted by `stop` and `close`, with FineTuneStopped as the reason. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: JobProgress) => void;
};

export type JobUnderWay = {
  /** Resolves when the job is accepted. */
  readonly accepted: Promise<unknown>;
  /** Resolves when the model is in the store. */
  readonly done: Promise<void>;
};

/** @param carryOut begins a job without an await, so that two callers cannot begin it twice */
export function createJobs(
  store: Store,
  carryOut: CarryOut,
): Pick<Trainer, 'submit' | 'watch' | 'stop' | 'close'> {
  /** Jobs that run or wait, and jobs that failed and were not submitted again. */
  const runs = new Map<string, Run>();
  let closed = false;

  function begin(key: string, job: FineTuneJob): Run {
    const stopping = new AbortController();
    const events = createEventLog();
    const begun = findModel(store, key).then((found) =>
      found === null ? carryOut(key, job, { signal: stopping.signal, onEvent: events.add }) : null,
    );
    const accepted = begun.then(async (underWay) => {
      // It is waited for below.
      underWay?.done.catch(() => undefined);
      await underWay?.accepted;
    });
    const over = begun
      .then((underWay) => underWay?.done)
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
    },
  };
}

/** The id under which messages know a job. */
export function jobId(key: string): string {
  return key.slice(0, 16);
}

/** A submitted job. */
interface Run {
  /** Resolves when the job is accepted, or its model is finished already. */
  readonly accepted: Promise<void>;
  /** Resolves when the job has ended, whether it failed or not. */
  readonly over: Promise<void>;
  /** Aborted by `stop`. */
  readonly stopping: AbortController;
  readonly events: EventLog;
}

/** The events of a job, for any number of callers who follow it. */
interface EventLog {
  readonly add: (event: JobProgress) => void;
  readonly end: (ending: Ending) => void;
  readonly ended: () => boolean;
  /** The newest event, then each one that follows. Throws the failure at the end. */
  readonly follow: (signal: AbortSignal) => AsyncGenerator<JobProgress, void>;
}

type Ending = { readonly failure?: unknown };

/** Those who follow a job more slowly than its events come miss some. */
const keptEvents = 1_000;

function createEventLog(): EventLog {
  const events: JobProgress[] = [];
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
