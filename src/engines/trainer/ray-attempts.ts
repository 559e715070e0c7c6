/**
 * The attempts at a piece of work on a Ray cluster. Each is a job of the cluster, with a folder in the store that worker and cluster share. The
 * job's id depends on the work's key, the store and the attempt's number only, so every worker finds it.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type TrainerEvent, trainerEventSchema } from '../../config/contract.ts';
import { projectRoot } from '../../config/installation.ts';
import type { RayConfig } from '../../config/trainers.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import { NotVisibleYet } from '../../store/errors.ts';
import { type Store, storeIdentity } from '../../store/store.ts';
import { shellQuoted } from '../../text/safe-text.ts';
import { pause } from '../waiting.ts';
import { parsedLine } from '../process/log-file.ts';
import { RayJobIdTaken, RayUnreachable, TrainerSpokeGarbage } from './errors.ts';
import { hasEnded, type JobState, type RayCluster } from './ray-cluster.ts';

export type Attempt = {
  readonly key: string;
  /** 1 is the first. */
  readonly number: number;
  /** The id of its job: letters, digits and `-`. */
  readonly id: string;
  /** Absolute. */
  readonly folder: string;
};

/** What a job does. */
export type Work = {
  /** What it reads, as JSON, by the names of the files. */
  readonly files: (nonce: string) => Readonly<Record<string, object>>;
  /** A line of the shell, with the variables `python` and `folder`. */
  readonly command: string;
};

/** The status with which our line of the shell ends when the job's node does not have the store. */
export const storeNotVisible = 73;

/** Every function that asks the cluster throws RayUnreachable, RayRefused, RayAnswerInvalid, RayJobIdTaken, ApiKeyMissing. */
export interface Attempts {
  /** The newest attempt; null when there was none, or when they were removed because the work is done. */
  newest(key: string): Promise<Attempt | null>;
  numbered(key: string, number: number): Promise<Attempt>;
  /** Attaches to the job that does the work, or has the next attempt begin. */
  begin(key: string, work: Work, signal: AbortSignal): Promise<Attempt>;
  /** The job of an attempt; null when the cluster knows none. */
  stateOf(attempt: Attempt, signal: AbortSignal): Promise<JobState | null>;
  /** Stops the job of the newest attempt, and resolves when it has ended. Nothing happens when there is none. */
  stop(key: string): Promise<void>;
  /** The text of a file of an attempt; empty when it is not there. */
  text(attempt: Attempt, file: string): Promise<string>;
  /** Returns a function that reads the events that were written since its last call. It throws TrainerSpokeGarbage. */
  events(attempt: Attempt): () => Promise<TrainerEvent[]>;
  /** Where the cluster has what is at a path of the worker. */
  readonly onCluster: (path: string) => string;
}

export type AttemptsOptions = {
  readonly store: Store;
  readonly config: RayConfig;
  readonly cluster: RayCluster;
  /** How often a job is asked for. Milliseconds. */
  readonly pollMs: number;
};

/** How long a cluster that gives no answer is asked whether a job has ended. A worker that shuts down cannot wait longer. */
const stopPatienceMs = 30_000;

/** The attempts in a store. Their folders are beside the checkpoints, and are removed with them when the model is finished. */
export function createAttempts({ store, config, cluster, pollMs }: AttemptsOptions): Attempts {
  const folderOf = (key: string): string => join(store.checkpoints(key), 'ray');
  const onCluster = (path: string): string =>
    config.store !== undefined && (path === store.local || path.startsWith(`${store.local}/`))
      ? `${config.store}${path.slice(store.local.length)}`
      : path;

  async function numbered(key: string, number: number): Promise<Attempt> {
    const { id } = await storeIdentity(store);
    const short = id.replace(/[^0-9a-z]/g, '').slice(0, 8);
    return {
      key,
      number,
      id: `colloquy-${key}-${short}-${number}`,
      folder: join(folderOf(key), String(number)),
    };
  }

  async function newest(key: string): Promise<Attempt | null> {
    const names = await fileBlobs(folderOf(key)).list('');
    const numbers = names.flatMap((name) => /^(\d+)\/nonce$/.exec(name)?.[1] ?? []).map(Number);
    return numbers.length === 0 ? null : numbered(key, Math.max(...numbers));
  }

  async function metadataOf(key: string) {
    return { colloquy_key: key, colloquy_store: (await storeIdentity(store)).id };
  }

  async function requireOwn({ key, id }: Attempt, { metadata }: JobState): Promise<void> {
    const own = await metadataOf(key);
    if (metadata?.['colloquy_key'] !== own.colloquy_key || metadata['colloquy_store'] !== own.colloquy_store)
      throw new RayJobIdTaken(id, config.url);
  }

  async function stateOf(attempt: Attempt, signal: AbortSignal): Promise<JobState | null> {
    const state = await cluster.job(attempt.id, signal);
    if (state !== null) await requireOwn(attempt, state);
    return state;
  }

  /** Whether a driver has begun to work on an attempt. Another one would refuse to. */
  const isBegun = async ({ folder }: Attempt): Promise<boolean> =>
    (await fileBlobs(folder).size('begun')) !== null;

  return {
    newest,
    numbered,
    stateOf,
    onCluster,

    async begin(key, { files, command }, signal) {
      let attempt = (await newest(key)) ?? (await numbered(key, 1));
      for (;;) {
        const known = await stateOf(attempt, signal);
        if (known !== null && !hasEnded(known)) return attempt;
        // After its head was replaced, a cluster knows no older job, whose driver may still be at work.
        if (known === null && !(await isBegun(attempt))) {
          const nonce = await prepare(attempt, files);
          const entrypoint = entrypointOf(
            onCluster(attempt.folder),
            nonce,
            config.python ?? 'python',
            command,
          );
          const metadata = await metadataOf(key);
          const before = await cluster.submit({ id: attempt.id, entrypoint, environment, metadata }, signal);
          if (before === null) return attempt;
          await requireOwn(attempt, before);
          if (!hasEnded(before) || (await isBegun(attempt))) return attempt;
        }
        attempt = await numbered(key, attempt.number + 1);
      }
    },

    async stop(key) {
      const never = new AbortController().signal;
      const attempt = await newest(key);
      if (attempt === null) return;
      let requested = false;
      for (let heardAt = Date.now(); ; await pause(pollMs, never)) {
        try {
          const state = await stateOf(attempt, never);
          if (state === null || hasEnded(state)) return;
          if (!requested) await cluster.requestStop(attempt.id, never);
          requested = true;
          heardAt = Date.now();
        } catch (error) {
          if (!(error instanceof RayUnreachable) || Date.now() - heardAt > stopPatienceMs) throw error;
        }
      }
    },

    text: async ({ folder }, file) => String((await fileBlobs(folder).get(file)) ?? ''),
    events: ({ folder }) => eventReader(folder),
  };
}

const environment = {
  // For a checkpoint, between SIGTERM and SIGKILL: Ray's own is 3 s.
  RAY_JOB_STOP_WAIT_TIME_S: '600',
  // Ranks wait for devices as long as it takes, in the order of their jobs.
  RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S: '31536000',
  RAY_TRAIN_ENABLE_PREEMPTION_WATCHER: '0',
  RAY_TRAIN_METRICS_ENABLED: '0',
};

/** The line of the shell that a job is. It compares the nonce first, so that another store at the same path is noticed too. */
function entrypointOf(folder: string, nonce: string, python: string, command: string): string {
  const seen = `[ "$(cat "$folder"/nonce 2>/dev/null)" = ${shellQuoted(nonce)} ]`;
  const lacks = `{ echo "The store is not visible on this node: $folder"; exit ${storeNotVisible}; }`;
  return `folder=${shellQuoted(folder)}; python=${shellQuoted(python)}; ${seen} || ${lacks}; ${command}`;
}

/** The programs that a job needs, beside the package. */
const programs = ['ray_job.py', 'train.py'];

/**
 * Writes what a job reads: a copy of the engine, and the files of the work. When several workers prepare an attempt, its nonce is that of
 * one of them.
 *
 * @returns the nonce, which shows that a node sees this store
 */
async function prepare({ folder }: Attempt, files: Work['files']): Promise<string> {
  const blobs = fileBlobs(folder);
  await blobs.putOnce('nonce', Buffer.from(randomUUID()));
  const nonce = await blobs.get('nonce');
  if (nonce === null) throw new NotVisibleYet(join(folder, 'nonce'));
  const engine = fileBlobs(join(projectRoot, 'engine'));
  const modules = (await engine.list('colloquy_engine/')).filter((name) => name.endsWith('.py'));
  await Promise.all([
    ...[...programs, ...modules].map(async (name) => blobs.replace(`engine/${name}`, engine.stream(name))),
    ...Object.entries(files(String(nonce))).map(async ([name, content]) =>
      blobs.replace(name, Buffer.from(`${JSON.stringify(content)}\n`)),
    ),
  ]);
  return String(nonce);
}

function eventReader(folder: string): () => Promise<TrainerEvent[]> {
  const blobs = fileBlobs(folder);
  let read = 0;
  return async () => {
    const size = (await blobs.size('events.jsonl')) ?? 0;
    if (size <= read) return [];
    const bytes = await blobs.get('events.jsonl', { start: read, bytes: size - read });
    // The end of the last line may come later.
    const whole = bytes === null ? -1 : bytes.lastIndexOf('\n');
    if (bytes === null || whole < 0) return [];
    read += whole + 1;
    return eventsIn(bytes.subarray(0, whole).toString('utf8'), join(folder, 'events.jsonl'));
  };
}

/** The events in a text, one a line. @throws TrainerSpokeGarbage */
export function eventsIn(text: string, file: string): TrainerEvent[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const event = parsedLine(line, trainerEventSchema);
    if (event === undefined) throw new TrainerSpokeGarbage(line, 'it is none of the protocol', file);
    return event;
  });
}
