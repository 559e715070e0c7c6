/** A server of OpenAI's fine-tuning API: the requests that a fine-tune needs, and what the answers have to be. */
import { z } from 'zod';
import type { HostedSettings, HostedTrainerConfig } from '../../config/trainers.ts';
import { withPath } from '../../config/endpoints.ts';
import { pause } from '../waiting.ts';
import { createServerRequests } from '../endpoint/server-requests.ts';
import { EngineBusy, EngineFailed, EngineUnreachable } from '../errors.ts';

const fileSchema = z.object({
  id: z.string().min(1),
  filename: z.string(),
  bytes: z.number().nullish(),
  status: z.string().nullish(),
  status_details: z.string().nullish(),
});
/** A file that was uploaded. */
export type ServerFile = z.infer<typeof fileSchema>;

const jobSchema = z.object({
  id: z.string().min(1),
  /** `validating_files`, `queued`, `running`, `succeeded`, `failed`, `cancelled`; servers may have other words for their own states. */
  status: z.string(),
  /** Seconds since 1970, like `finished_at`. */
  created_at: z.number(),
  finished_at: z.number().nullish(),
  training_file: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  fine_tuned_model: z.string().nullish(),
  trained_tokens: z.number().int().min(0).nullish(),
  /** OpenAI has an empty object in jobs that did not fail. */
  error: z
    .object({ code: z.string().nullish(), message: z.string().nullish(), param: z.string().nullish() })
    .nullish(),
});
export type HostedJob = z.infer<typeof jobSchema>;

const eventSchema = z.object({
  id: z.string().min(1),
  message: z.string().catch(''),
  data: z
    .object({
      step: z.number().int().min(0),
      train_loss: z.number(),
      total_steps: z.number().int().min(0).nullish(),
    })
    .nullish()
    .catch(null),
});
type HostedEvent = z.infer<typeof eventSchema>;

const pageOf = <Item extends z.ZodType<{ readonly id: string }>>(item: Item) =>
  z.object({ data: z.array(item), has_more: z.boolean().nullish() });

/** What a job is made of. */
export type JobRequest = {
  /** The server's name for the model that training starts from. */
  readonly model: string;
  readonly trainingFile: string;
  readonly seed: number;
  readonly settings: HostedSettings;
  /** At most 18 characters, which become a part of the new model's name. */
  readonly suffix: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** A step that the server reports. */
export type HostedStep = { readonly step: number; readonly totalSteps: number | null; readonly loss: number };

/**
 * Requests that can be repeated are repeated while the server gives no answer or is busy. `upload` and `createJob` are sent once: the caller
 * has to find out whether the server has carried them out.
 */
export interface FineTuningApi {
  /** The files for fine-tuning that have this name. */
  files(name: string, signal: AbortSignal): Promise<ServerFile[]>;
  file(id: string, signal: AbortSignal): Promise<ServerFile>;
  upload(name: string, text: string, signal: AbortSignal): Promise<ServerFile>;
  removeFile(id: string, signal: AbortSignal): Promise<void>;
  /** All jobs that the key may see. */
  jobs(signal: AbortSignal): Promise<HostedJob[]>;
  job(id: string, signal: AbortSignal): Promise<HostedJob>;
  createJob(request: JobRequest, signal: AbortSignal): Promise<HostedJob>;
  cancelJob(id: string, signal: AbortSignal): Promise<void>;
  /** The steps of a job whose events are not in `seen`, in their order; the ids of their events are added to it. */
  newSteps(id: string, seen: Set<string>, signal: AbortSignal): Promise<HostedStep[]>;
  /** Whether there is such an API. Asked once. */
  reach(signal: AbortSignal): Promise<void>;
  /** The address in the form that messages may show. */
  readonly url: string;
  /** Closes the connections; requests under way fail. */
  close(): void;
}

/** How long a server that gives no answer is waited for. Then Temporal tries the step again. */
const patienceMs = 2 * 3_600_000;

/** Files of tens of megabytes take minutes. */
const timeoutMs = 600_000;

const jobsPath = '/fine_tuning/jobs';

/** Its calls throw the errors of `createServerRequests`. */
export function createFineTuningApi({
  url,
  api_key_env: apiKeyEnv,
}: Pick<HostedTrainerConfig, 'url' | 'api_key_env'>): FineTuningApi {
  const server = createServerRequests({
    url: withPath(url),
    apiKeyEnv,
    timeoutMs,
    patienceMs: 0,
    sendsOnce: true,
  });

  async function ask<T>(schema: z.ZodType<T>, path: string, signal: AbortSignal, body?: unknown): Promise<T> {
    return server.parse(schema, path, (await server.ask(path, body, signal)).text);
  }

  const read = <T>(schema: z.ZodType<T>, path: string, signal: AbortSignal): Promise<T> =>
    patiently(() => ask(schema, path, signal), signal);

  /** Page after page, until a page has an item after which no more are wanted. */
  async function pages<Item extends { readonly id: string }>(
    schema: z.ZodType<{ readonly data: Item[]; readonly has_more?: boolean | null | undefined }>,
    path: string,
    signal: AbortSignal,
    isLast: (item: Item) => boolean = () => false,
  ): Promise<Item[]> {
    const items: Item[] = [];
    for (let after = ''; ; after = `&after=${encodeURIComponent(items.at(-1)?.id ?? '')}`) {
      const page = await read(schema, `${path}limit=100${after}`, signal);
      items.push(...page.data);
      if (page.has_more !== true || page.data.length === 0 || page.data.some(isLast)) return items;
    }
  }

  return {
    async files(name, signal) {
      const all = await pages(pageOf(fileSchema), '/files?purpose=fine-tune&', signal);
      return all.filter(({ filename }) => filename === name);
    },
    file: (id, signal) => read(fileSchema, `/files/${encodeURIComponent(id)}`, signal),
    async upload(name, text, signal) {
      const form = new FormData();
      form.append('purpose', 'fine-tune');
      form.append('file', new Blob([text], { type: 'application/jsonl' }), name);
      return ask(fileSchema, '/files', signal, form);
    },
    removeFile: (id, signal) => server.remove(`/files/${encodeURIComponent(id)}`, signal),
    jobs: (signal) => pages(pageOf(jobSchema), `${jobsPath}?`, signal),
    job: (id, signal) => read(jobSchema, `${jobsPath}/${encodeURIComponent(id)}`, signal),
    createJob: ({ model, trainingFile, seed, settings, suffix, metadata }, signal) =>
      ask(jobSchema, jobsPath, signal, {
        model,
        training_file: trainingFile,
        seed,
        suffix,
        metadata,
        method: { type: 'supervised', supervised: { hyperparameters: settings } },
      }),
    async cancelJob(id, signal) {
      await patiently(() => server.ask(`${jobsPath}/${encodeURIComponent(id)}/cancel`, {}, signal), signal);
    },
    async newSteps(id, seen, signal) {
      const path = `${jobsPath}/${encodeURIComponent(id)}/events?`;
      // The newest event comes first.
      const events = await pages(pageOf(eventSchema), path, signal, (event) => seen.has(event.id));
      const unseen = events.filter((event) => !seen.has(event.id)).toReversed();
      for (const event of unseen) seen.add(event.id);
      return unseen.flatMap(stepIn);
    },
    async reach(signal) {
      await ask(pageOf(jobSchema), `${jobsPath}?limit=1`, signal);
    },
    url: server.url,
    close: () => server.close(),
  };
}

/** In the event's data, or in its words (`Step 5/20: training loss=0.31`) where it has no data. */
function stepIn({ message, data }: HostedEvent): HostedStep[] {
  if (data) return [{ step: data.step, totalSteps: data.total_steps ?? null, loss: data.train_loss }];
  const [, step, of, loss] = /^Step (\d+)\/(\d+): training loss=(\d+(?:\.\d+)?)/.exec(message) ?? [];
  return loss === undefined ? [] : [{ step: Number(step), totalSteps: Number(of), loss: Number(loss) }];
}

/** Whether a server may answer when it is asked again: it was busy or in trouble, or the connection broke. */
export function mayAnswerLater(error: unknown): boolean {
  return error instanceof EngineUnreachable || error instanceof EngineBusy || error instanceof EngineFailed;
}

/** Half a second, doubled with each try, up to half a minute; a busy server may ask for more. */
export function delayAfter(tries: number, error?: unknown): number {
  const asked = error instanceof EngineBusy ? error.retryAfterMs : 0;
  return Math.max(asked, Math.min(30_000, 500 * 2 ** tries));
}

async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const begunAt = Date.now();
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!mayAnswerLater(error) || Date.now() - begunAt > patienceMs) throw error;
      await pause(delayAfter(tries, error), signal);
    }
  }
}
