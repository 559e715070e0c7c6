/** The Jobs API of a Ray cluster: four calls over HTTP. docs/ray.md says which of its answers are not what they seem. */
import { z } from 'zod';
import type { RayConfig } from '../../config/trainers.ts';
import { counted } from '../../text/figures.ts';
import { pause } from '../waiting.ts';
import { EngineAnswerInvalid, EngineUnreachable } from '../errors.ts';
import { createHttpClient, type HttpAnswer, readApiKey, withoutKey } from '../endpoint/http.ts';
import { RayAnswerInvalid, RayCannotPlace, RayRefused, RayUnreachable } from './errors.ts';

/** What is submitted. */
export type Submission = {
  /** Letters, digits and `-` only: Ray makes a file's name of it. It must never have been used, as Ray would go on with the old log. */
  readonly id: string;
  /** A line of the shell. */
  readonly entrypoint: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
};

const jobStateSchema = z.object({
  status: z.enum(['PENDING', 'RUNNING', 'STOPPED', 'SUCCEEDED', 'FAILED']),
  /** Of a job that has failed: the end of its log. */
  message: z
    .string()
    .nullish()
    .transform((message) => message ?? ''),
  metadata: z.record(z.string(), z.string()).nullish(),
  /** Null where no driver has ended by itself: it was stopped, or never began, or its node was lost. Negative for a signal. */
  driver_exit_code: z
    .int()
    .nullish()
    .transform((code) => code ?? null),
});
/** A job as Ray shows it. */
export type JobState = z.infer<typeof jobStateSchema>;

/** Whether a job has ended. */
export function hasEnded({ status }: JobState): boolean {
  return status === 'STOPPED' || status === 'SUCCEEDED' || status === 'FAILED';
}

/** The devices of a fine-tune. */
export type Asked = { readonly processes: number; readonly cpus: number; readonly gpus: number };

/** What a trainer's configuration asks for, with its defaults. */
export function askedFor({ processes = 1, cpus_per_process = 1, gpus_per_process = 1 }: RayConfig): Asked {
  return { processes, cpus: cpus_per_process, gpus: gpus_per_process };
}

/**
 * Returns a function that is called again and again while a job waits. It returns whether the cluster has the devices, and throws RayCannotPlace when
 * it has lacked them for `patienceMs`.
 */
export function placement(
  cluster: Pick<RayCluster, 'nodes'>,
  config: RayConfig,
  patienceMs: number,
  signal: AbortSignal,
): () => Promise<boolean> {
  const asked = askedFor(config);
  let lacksSince: number | undefined;
  let nextAt = 0;
  return async () => {
    if (Date.now() < nextAt) return lacksSince === undefined;
    const nodes = await cluster.nodes(signal);
    nextAt = Date.now() + Math.min(5_000, patienceMs / 4);
    lacksSince = canPlace(asked, nodes) ? undefined : (lacksSince ?? Date.now());
    if (lacksSince !== undefined && Date.now() - lacksSince >= patienceMs) requireRoom(config, nodes);
    return lacksSince === undefined;
  };
}

/** @throws RayCannotPlace when nodes have no room for the processes of a fine-tune, even without any other work */
export function requireRoom(config: RayConfig, nodes: readonly RayNode[]): void {
  const asked = askedFor(config);
  if (!canPlace(asked, nodes)) throw new RayCannotPlace(config.url, askedText(asked), nodesText(nodes));
}

/** Whether nodes without any other work have room for all processes. */
function canPlace({ processes, cpus, gpus }: Asked, nodes: readonly RayNode[]): boolean {
  const room = nodes.map((node) =>
    Math.min(Math.floor(node.cpus / cpus), gpus === 0 ? Infinity : Math.floor(node.gpus / gpus)),
  );
  return room.reduce((all, each) => all + each, 0) >= processes;
}

export function askedText({ processes, cpus, gpus }: Asked): string {
  return `${counted(processes, 'process').replace('processs', 'processes')} with ${devices(cpus, gpus)} each`;
}

export function nodesText(nodes: readonly RayNode[]): string {
  if (nodes.length === 0) return 'no nodes';
  return `${counted(nodes.length, 'node')} (${nodes.map(({ cpus, gpus }) => devices(cpus, gpus)).join('; ')})`;
}

function devices(cpus: number, gpus: number): string {
  return `${counted(cpus, 'CPU')} and ${gpus === 0 ? 'no GPU' : counted(gpus, 'GPU')}`;
}

const nodesSchema = z.object({
  data: z.object({
    result: z.object({
      result: z.array(z.object({ state: z.string(), resources_total: z.record(z.string(), z.number()) })),
    }),
  }),
});
/** The cores and the graphics cards of a node that is alive. */
export type RayNode = { readonly cpus: number; readonly gpus: number };

/** @throws RayUnreachable, RayRefused, RayAnswerInvalid, ApiKeyMissing, EngineClosed, the signal's reason. So do all calls. */
export interface RayCluster {
  /**
   * Has a job run, once, however often it is submitted, and also when an answer is lost on its way.
   *
   * @returns the job of this id that was there already; null when there was none
   */
  submit(job: Submission, signal: AbortSignal): Promise<JobState | null>;
  /** Null when the cluster does not know the job: it was never submitted, or the cluster has a new head since. */
  job(id: string, signal: AbortSignal): Promise<JobState | null>;
  /** Asks a job to stop. The job may go on for a while. */
  requestStop(id: string, signal: AbortSignal): Promise<void>;
  nodes(signal: AbortSignal): Promise<RayNode[]>;
  close(): void;
}

const answerWithinMs = 30_000;
/** A submission whose answer was lost, and which the cluster does not know, is repeated. */
const submissions = 3;

/** The cluster that a trainer's configuration names. It is not reached before the first call. */
export function createRayCluster({ url, api_key_env }: Pick<RayConfig, 'url' | 'api_key_env'>): RayCluster {
  const http = createHttpClient(answerWithinMs);
  const base = url.replace(/\/+$/, '');

  async function send(path: string, signal: AbortSignal, body?: unknown): Promise<HttpAnswer> {
    const key = readApiKey(api_key_env);
    let answer: HttpAnswer;
    try {
      answer = await http.send(
        { url: `${base}${path}`, key, ...(body === undefined ? {} : { body }) },
        signal,
      );
    } catch (error) {
      if (error instanceof EngineUnreachable) throw new RayUnreachable(url, error.reason);
      if (error instanceof EngineAnswerInvalid) throw new RayAnswerInvalid(url, error.fault, '');
      throw error;
    }
    const text = withoutKey(answer.text, key);
    if (answer.status === 401 || answer.status === 403)
      throw new RayRefused(url, answer.status, text.slice(0, 300), key !== undefined);
    return { ...answer, text };
  }

  function read<Value>({ status, text }: HttpAnswer, schema: z.ZodType<Value>): Value {
    // So answers a dashboard whose head begins or ends.
    if (status >= 500) throw new RayUnreachable(url, `status ${status}: ${text.slice(-300)}`);
    try {
      if (status === 200) return schema.parse(JSON.parse(text));
    } catch {
      // It is reported below.
    }
    throw new RayAnswerInvalid(url, `status ${status}`, text.slice(-300));
  }

  async function job(id: string, signal: AbortSignal): Promise<JobState | null> {
    const answer = await send(`/api/jobs/${id}`, signal);
    // Another program's page for what it does not have is no answer of Ray's.
    if (answer.status === 404 && answer.text.includes(id)) return null;
    return read(answer, jobStateSchema);
  }

  return {
    job,

    async submit({ id, entrypoint, environment, metadata }, signal) {
      const body = { submission_id: id, entrypoint, metadata, runtime_env: { env_vars: environment } };
      for (let left = submissions; ;) {
        left -= 1;
        const answer = await send('/api/jobs/', signal, body).catch((error: unknown) => {
          if (error instanceof RayUnreachable) return error;
          throw error;
        });
        const isLost = answer instanceof RayUnreachable;
        if (!isLost && answer.status === 200) return null;
        // Ray answers 500 for an id that it has. So only the job itself shows whether it was accepted.
        const found = await job(id, signal);
        if (found !== null) return found;
        if (left === 0) {
          if (isLost) throw answer;
          throw new RayAnswerInvalid(url, `status ${answer.status}`, answer.text.slice(-300));
        }
        await pause(1_000, signal);
      }
    },

    async requestStop(id, signal) {
      const answer = await send(`/api/jobs/${id}/stop`, signal, {});
      if (answer.status !== 404) read(answer, z.object({ stopped: z.boolean() }));
    },

    async nodes(signal) {
      const { data } = read(await send('/api/v0/nodes?detail=1', signal), nodesSchema);
      return data.result.result
        .filter(({ state }) => state === 'ALIVE')
        .map(({ resources_total: { CPU, GPU } }) => ({ cpus: CPU ?? 0, gpus: GPU ?? 0 }));
    },

    close: () => http.close(),
  };
}
