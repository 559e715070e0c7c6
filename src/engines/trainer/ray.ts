/** The kind `ray`: engine/ray_job.py as a job of a Ray cluster, which shares the store with the worker. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { RayJob, TrainerEvent, TrainerProgress } from '../../config/contract.ts';
import { type RayConfig, trainerAbilities } from '../../config/trainers.ts';
import { findModel, removeCheckpoints, storeModel } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { shellQuoted } from '../../text/safe-text.ts';
import { pause } from '../waiting.ts';
import { resolveModel } from '../endpoint/base-model.ts';
import { EngineClosed } from '../errors.ts';
import { logFileFor, openProgramLog, parsedLine } from '../process/log-file.ts';
import type { ExitStatus } from '../process/process-group.ts';
import { checkAnswerSchema, judgeCheck } from '../process/trainer-process.ts';
import {
  FineTuneFailed,
  FineTuneNotSubmitted,
  FineTuneStopped,
  RayJobLost,
  RayStoreNotVisible,
  RayUnreachable,
  TrainerExited,
  TrainerStalled,
} from './errors.ts';
import { localJob } from './process.ts';
import { type Attempt, createAttempts, eventsIn, storeNotVisible, type Work } from './ray-attempts.ts';
import { askedFor, createRayCluster, hasEnded, type JobState, placement } from './ray-cluster.ts';
import { type FineTuneJob, jobId, type Trainer } from './trainer.ts';

export interface RayTrainerOptions {
  readonly store: Store;
  readonly config: RayConfig;
  /** How often a job is asked for. Milliseconds; by default 1 s. */
  readonly pollMs?: number;
  /** The longest silence of a job that has started. Milliseconds; by default 10 minutes. */
  readonly stallMs?: number;
  /** How long a cluster is waited for that gives no answer, or that has too few nodes. Milliseconds; by default as the configuration says. */
  readonly patienceMs?: number;
}

/** A trainer whose jobs wait for each other where the cluster has not enough devices for all of them. Nothing is reached before its first job. */
export function createRayTrainer(options: RayTrainerOptions): Trainer {
  const { store, config, pollMs = 1_000, stallMs = 600_000 } = options;
  const { patienceMs = (config.patience_minutes ?? 0.5) * 60_000 } = options;
  const cluster = createRayCluster(config);
  const attempts = createAttempts({ store, config, cluster, pollMs });
  const { onCluster } = attempts;
  const begun = new Set<string>();
  const submitting = new Map<string, Promise<void>>();
  const stopping = new Map<string, Promise<void>>();
  let closed = false;

  /** A fine-tune as the cluster reads it. @throws ArtifactMissing, ModelFolderMissing */
  async function workOf(key: string, job: FineTuneJob): Promise<Work> {
    const local = await localJob(store, key, job);
    const { processes, cpus, gpus } = askedFor(config);
    const asked = {
      processes,
      cpus_per_process: cpus,
      gpus_per_process: gpus,
      padding_free: config.padding_free ?? null,
      attn_implementation: config.attn_implementation ?? null,
      job: {
        ...local,
        base_model: onCluster(local.base_model),
        init_model: local.init_model === null ? null : onCluster(local.init_model),
        dataset: onCluster(local.dataset),
        output_dir: onCluster(local.output_dir),
        checkpoint_dir: onCluster(local.checkpoint_dir),
      },
    };
    return {
      files: (nonce) => ({ 'job.json': { nonce, ...asked } satisfies RayJob }),
      command: 'exec "$python" "$folder"/engine/ray_job.py "$folder"',
    };
  }

  async function submitOnce(key: string, job: FineTuneJob): Promise<void> {
    if ((await findModel(store, key)) !== null) return;
    begun.add(key);
    await attempts.begin(key, await workOf(key, job), new AbortController().signal);
  }

  /** Reports an attempt's events: the newest one first, then each that follows. Ends when the model is finished. @throws why it is not */
  async function* follow(attempt: Attempt, signal: AbortSignal): AsyncGenerator<TrainerProgress, void> {
    const { key, id, folder } = attempt;
    const nextEvents = attempts.events(attempt);
    const requirePlace = placement(cluster, config, patienceMs, signal);
    const endings: TrainerEvent[] = [];
    let newest: TrainerEvent | undefined;
    let isFirst = true;
    let heardAt = Date.now();
    let newsAt = heardAt;

    /** Stops the job when what it waits for is in vain. */
    async function requireProgress(): Promise<void> {
      try {
        if (newest === undefined) await requirePlace();
        else if (Date.now() - newsAt > stallMs)
          throw new TrainerStalled(jobId(key), stallMs, join(folder, 'events.jsonl'), JSON.stringify(newest));
      } catch (error) {
        if (!(error instanceof RayUnreachable)) await cluster.requestStop(id, signal);
        throw error;
      }
    }

    for (;;) {
      signal.throwIfAborted();
      const state = await unlessUnreachable(attempts.stateOf(attempt, signal));
      // After the state: when the job had ended then, this is all that it has written.
      const events = await nextEvents();
      const news = events.filter((event) => isProgress(event));
      endings.push(...events.filter((event) => !isProgress(event)));
      if (events.length > 0) {
        newest = events.at(-1);
        newsAt = Date.now();
      }
      yield* isFirst ? news.slice(-1) : news;
      isFirst = false;
      if (state instanceof RayUnreachable) {
        if (endings.some(({ event }) => event === 'done')) return storeModel(store, key);
        if (Date.now() - Math.max(heardAt, newsAt) > patienceMs) throw state;
      } else {
        heardAt = Date.now();
        if (state === null || hasEnded(state)) return ended(attempt, state, endings);
        await unlessUnreachable(requireProgress());
      }
      await pause(pollMs, signal);
    }
  }

  /** Returns when the model is finished. @throws why it is not */
  async function ended(
    attempt: Attempt,
    state: JobState | null,
    endings: readonly TrainerEvent[],
  ): Promise<void> {
    const { key, folder } = attempt;
    if (endings.some(({ event }) => event === 'done')) await storeModel(store, key);
    if ((await findModel(store, key)) !== null) return;
    const failures = await attempts.text(attempt, 'failures.jsonl');
    const all = [...endings, ...eventsIn(failures, join(folder, 'failures.jsonl'))];
    const failed = all.find((event) => event.event === 'failed');
    if (failed !== undefined) throw new FineTuneFailed(jobId(key), failed.kind, failed.message);
    if (state?.status === 'STOPPED') throw new FineTuneStopped(jobId(key));
    throw await exitOf(jobId(key), attempt, state);
  }

  /** The error for a job that has ended, or that the cluster does not know, and that did not write why. */
  async function exitOf(name: string, { id, folder }: Attempt, state: JobState | null): Promise<Error> {
    if (state === null)
      return new RayJobLost(id, config.url, 'the cluster does not know it, as it has had a new head since');
    const { driver_exit_code: code } = state;
    const words = stripVTControlCharacters(state.message);
    if (code === storeNotVisible) return new RayStoreNotVisible(config.url, onCluster(join(folder, 'nonce')));
    if (code === noProgram) return new FineTuneFailed(name, 'bad_trainer', noProgramWords(config.python));
    // Here Ray says itself what happened, and explains it at length.
    if (code === null)
      return new RayJobLost(id, config.url, words.replaceAll(/\s+/g, ' ').trim().slice(0, 1_000));
    const log = openProgramLog(await logFileFor(store.logs, 'trainer-ray'));
    for (const line of words.split('\n')) log.add(line);
    log.close();
    return new TrainerExited(name, exitStatus(code), log.file, log.ending());
  }

  async function stop(key: string): Promise<void> {
    await submitting.get(key)?.catch(() => undefined);
    await shared(stopping, key, () => attempts.stop(key));
  }

  return {
    ...trainerAbilities('ray', config),
    outlivesWorker: false,
    async check(base, check, signal) {
      const requirePlace = placement(cluster, config, patienceMs, signal);
      while (!(await requirePlace())) await pause(pollMs, signal);
      const adapter = check.made_up_adapter;
      const request = {
        ...check,
        ...(adapter === undefined
          ? {}
          : { made_up_adapter: { ...adapter, folder: onCluster(adapter.folder) } }),
      };
      const model = shellQuoted(onCluster(resolveModel(base.name)));
      const command = `"$python" "$folder"/engine/train.py --check ${model} < "$folder"/check.json > "$folder"/answer.jsonl`;
      const key = `check-${randomUUID()}`;
      try {
        const attempt = await attempts.begin(
          key,
          { files: () => ({ 'check.json': request }), command },
          signal,
        );
        let state = await attempts.stateOf(attempt, signal);
        while (state !== null && !hasEnded(state)) {
          await pause(pollMs, signal);
          state = await attempts.stateOf(attempt, signal);
        }
        const answer = parsedLine(await attempts.text(attempt, 'answer.jsonl'), checkAnswerSchema);
        if (answer === undefined) throw await exitOf('The check', attempt, state);
        judgeCheck(answer);
      } finally {
        await removeCheckpoints(store, key);
      }
    },

    async submit(key, job) {
      if (closed) throw new EngineClosed('The trainer');
      await stopping.get(key)?.catch(() => undefined);
      await shared(submitting, key, () => submitOnce(key, job));
    },

    async *watch(key, signal) {
      if ((await findModel(store, key)) !== null) return;
      const attempt = await attempts.newest(key);
      if (attempt === null) throw new FineTuneNotSubmitted(jobId(key));
      try {
        yield* follow(attempt, signal);
      } catch (error) {
        // `close` has stopped the job before it closed the connections.
        throw error instanceof EngineClosed ? new FineTuneStopped(jobId(key)) : error;
      }
    },

    stop,

    async close() {
      closed = true;
      try {
        await Promise.all([...begun].map(stop));
      } finally {
        cluster.close();
      }
    },
  };
}

/** What is being done for a key, begun when it is not. */
async function shared(
  underWay: Map<string, Promise<void>>,
  key: string,
  work: () => Promise<void>,
): Promise<void> {
  const same = underWay.get(key) ?? work().finally(() => underWay.delete(key));
  underWay.set(key, same);
  await same;
}

function isProgress(event: TrainerEvent): event is TrainerProgress {
  return event.event !== 'ready' && event.event !== 'done' && event.event !== 'failed';
}

/** The shell's own status for a program that is not there. */
const noProgram = 127;

function noProgramWords(python = 'python'): string {
  return `the cluster has no program ${python} on the PATH of its jobs. Set python to the path of the Python that Ray runs with`;
}

/** Ray writes how a process ended as Python does: negative for a signal. */
function exitStatus(code: number): ExitStatus {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  const signal = names.find(([, number]) => number === -code)?.[0] ?? null;
  return { code: signal === null ? code : null, signal };
}

async function unlessUnreachable<Result>(answer: Promise<Result>): Promise<Result | RayUnreachable> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RayUnreachable) return error;
    throw error;
  }
}
