/**
 * A server of OpenAI's fine-tuning API and chat API that really trains: a small front over a trainer and an endpoint of our own. Its models
 * are `ft:BASE:SUFFIX:N`.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { trainerSettingsSchema, type TrainerSettings } from '../../src/config/contract.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { FineTuneJob, Trainer } from '../../src/engines/trainer/trainer.ts';
import { refOf, writeSealed } from '../../src/store/files/sealed.ts';
import { type BaseModel, type Model, tunedModel, untuned } from '../../src/store/models.ts';
import type { Store } from '../../src/store/store.ts';

type Message = { readonly role: 'user' | 'assistant' | 'system'; readonly content: string };
type Row = { readonly messages: readonly (Message & { readonly weight?: number })[] };
type Job = {
  readonly id: string;
  readonly created_at: number;
  readonly model: string;
  readonly training_file: string;
  readonly metadata: Record<string, string> | undefined;
  readonly seed: number;
  readonly suffix: string;
  readonly method: { supervised: { hyperparameters: { n_epochs: number; batch_size: number } } };
  status: string;
  finished_at: number | null;
  fine_tuned_model: string | null;
  trained_tokens: number | null;
  error: { code?: string; message?: string; param?: string | null };
};

/** What goes wrong, and how often. */
export type Faults = {
  /** Requests that are carried out, and whose answer is lost. */
  lostUploads: number;
  lostJobs: number;
  /** The next job fails with this error instead of being trained. */
  failure: Job['error'] | null;
  /** New jobs stay in the queue. */
  queue: boolean;
  /** Jobs come back without their metadata. */
  forgetsMetadata: boolean;
  /** Models that were trained here are not served. */
  deleted: boolean;
};

export type FineTuningServer = AsyncDisposable & {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  readonly faults: Faults;
  readonly jobs: readonly Job[];
  /** The files that are there, by their ids. */
  readonly files: ReadonlyMap<string, { readonly filename: string; readonly text: string }>;
  /** `METHOD path` of each request. */
  readonly asked: readonly string[];
  /** The headers of the latest request. */
  readonly authorization: () => string | undefined;
  /** The owner of the account cancels a job. */
  readonly cancel: (id: string) => Promise<void>;
};

type Serving = {
  /** The server's name for its base model. */
  readonly name: string;
  readonly base: BaseModel;
  readonly trainer: Trainer;
  readonly store: Store;
  /** What answers; without it there is no chat. */
  readonly endpoint?: Endpoint;
  readonly settings?: Partial<TrainerSettings>;
};

export async function startFineTuningServer({
  name: baseName,
  base,
  trainer,
  store,
  endpoint,
  settings = {},
}: Serving): Promise<FineTuningServer> {
  const faults: Faults = {
    lostUploads: 0,
    lostJobs: 0,
    failure: null,
    queue: false,
    forgetsMetadata: false,
    deleted: false,
  };
  const files = new Map<string, { readonly filename: string; readonly text: string }>();
  const jobs: Job[] = [];
  const events = new Map<string, object[]>();
  const models = new Map<string, Model>([[baseName, untuned(base)]]);
  const asked: string[] = [];
  let authorization: string | undefined;

  /** The server's own key of a job's model: like a content address, it differs in its first digits, by which an endpoint names adapters. */
  const keyOf = (job: Job): string => createHash('sha256').update(job.id).digest('hex');

  async function train(job: Job): Promise<void> {
    const { hyperparameters } = job.method.supervised;
    const text = files.get(job.training_file)?.text ?? '';
    const rows = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    const learnt = rows.map(({ messages }) => {
      const before = messages.slice(0, -1);
      if (before.some(({ role, weight }) => role === 'assistant' && weight !== 0))
        throw new Error('This server trains the last message alone.');
      const plain = ({ role, content }: Message): Message => ({ role, content });
      return { prompt: before.map(plain), completion: messages.slice(-1).map(plain) };
    });
    const place = store.place(`data/${job.id}.jsonl`);
    const bytes = Buffer.from(learnt.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const dataset = refOf(place, await writeSealed(place, [{ bytes, rows: rows.length }]));
    const init = models.get(job.model);
    if (init === undefined) throw new Error(`There is no ${job.model}.`);
    const own: FineTuneJob = {
      init,
      dataset,
      seed: job.seed,
      settings: trainerSettingsSchema.parse({
        ...settings,
        num_train_epochs: hyperparameters.n_epochs,
        per_device_train_batch_size: hyperparameters.batch_size,
        gradient_accumulation_steps: 1,
      }),
    };
    const key = keyOf(job);
    if (job.status === 'cancelled') return;
    await trainer.submit(key, own);
    for await (const event of trainer.watch(key, new AbortController().signal)) {
      if (event.event === 'started' && job.status !== 'cancelled') job.status = 'running';
      if (event.event !== 'step') continue;
      const { step, total_steps, loss } = event;
      const of = events.get(job.id)!;
      of.push({
        id: `ftevent-${job.id}-${of.length}`,
        object: 'fine_tuning.job.event',
        level: 'info',
        type: 'metrics',
        message: `Step ${step}/${total_steps}: training loss=${loss.toFixed(2)}`,
        data: { step, total_steps, train_loss: loss },
      });
    }
    const model = `ft:${job.model.split(':')[1] ?? job.model}:${job.suffix}:${jobs.indexOf(job)}`;
    models.set(model, tunedModel(base, key, 'adapter'));
    Object.assign(job, {
      status: 'succeeded',
      fine_tuned_model: model,
      finished_at: seconds(),
      trained_tokens: Math.round(text.length / 4) * hyperparameters.n_epochs,
    });
  }

  async function cancel(id: string): Promise<void> {
    const job = jobs.find((each) => each.id === id)!;
    if (job.status === 'succeeded' || job.status === 'failed') return;
    job.status = 'cancelled';
    await trainer.stop(keyOf(job));
    job.status = 'cancelled';
  }

  function create(
    body: Pick<Job, 'model' | 'training_file' | 'metadata' | 'seed' | 'suffix' | 'method'>,
  ): Job {
    const job: Job = {
      ...body,
      id: `ftjob-${jobs.length}`,
      created_at: seconds(),
      status: faults.queue ? 'queued' : 'validating_files',
      finished_at: null,
      fine_tuned_model: null,
      trained_tokens: null,
      error: {},
    };
    jobs.push(job);
    events.set(job.id, []);
    const { failure } = faults;
    faults.failure = null;
    if (failure !== null) Object.assign(job, { status: 'failed', error: failure });
    else if (!faults.queue)
      train(job).catch((error: unknown) => {
        if (job.status === 'cancelled') return;
        Object.assign(job, { status: 'failed', error: { code: 'server_error', message: String(error) } });
      });
    return job;
  }

  async function answer(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const { pathname: path, searchParams } = new URL(request.url ?? '', 'http://localhost');
    const route = `${request.method} ${path.replace(/^\/v1/, '')}`;
    asked.push(route);
    authorization = request.headers.authorization;
    const read = (): unknown => JSON.parse(body.toString('utf8'));
    const [, id = ''] = /^\/v1\/(?:files|fine_tuning\/jobs)\/([^/]+)/.exec(path) ?? [];
    const seen = (job: Job): object => (faults.forgetsMetadata ? { ...job, metadata: null } : job);
    // So few that lists have several pages.
    const pageOf = (items: readonly { readonly id: string }[], pageSize = 3): object => {
      const from = items.findIndex((item) => item.id === searchParams.get('after')) + 1;
      const page = items.slice(from, from + pageSize);
      return { object: 'list', data: page, has_more: from + page.length < items.length };
    };
    if (route === 'POST /files') {
      const headers = { 'content-type': request.headers['content-type'] ?? '' };
      const form = await new Response(new Uint8Array(body), { headers }).formData();
      const file = form.get('file') as File;
      const made = `file-${asked.length}`;
      files.set(made, { filename: file.name, text: await file.text() });
      if (form.get('purpose') !== 'fine-tune') return refused(400, 'Unknown purpose.');
      return { body: fileOf(made), lost: faults.lostUploads-- > 0 };
    }
    if (route === 'GET /files') return { body: pageOf([...files.keys()].map(fileOf)) };
    if (route.startsWith('DELETE /files/')) return { body: { id, deleted: files.delete(id) } };
    if (route === 'POST /fine_tuning/jobs') {
      const wanted = read() as Parameters<typeof create>[0];
      if (!models.has(wanted.model)) return refused(404, `The model ${wanted.model} does not exist.`);
      return { body: seen(create(wanted)), lost: faults.lostJobs-- > 0 };
    }
    if (route === 'GET /fine_tuning/jobs')
      return { body: pageOf(jobs.toReversed().map((job) => seen(job) as Job)) };
    const job = jobs.find((each) => each.id === id);
    if (path.includes('/fine_tuning/jobs/') && job !== undefined) {
      if (path.endsWith('/events'))
        return { body: pageOf(events.get(id)!.toReversed() as { id: string }[], 100) };
      if (path.endsWith('/cancel')) await cancel(id);
      return { body: seen(job) };
    }
    if (route === 'GET /models')
      return { body: { object: 'list', data: [{ id: baseName, object: 'model' }] } };
    if (route === 'POST /chat/completions' && endpoint !== undefined) {
      const { model: asked, ...chat } = read() as { model: string } & Parameters<Endpoint['chat']>[1];
      const model = faults.deleted && asked !== baseName ? undefined : models.get(asked);
      if (model === undefined) return refused(404, `The model \`${asked}\` does not exist.`);
      const said = await endpoint.slots.use(
        () => endpoint.chat(model, chat, new AbortController().signal),
        new AbortController().signal,
      );
      const usage = {
        prompt_tokens: said.promptTokens,
        completion_tokens: said.completionTokens,
        total_tokens: said.promptTokens + said.completionTokens,
      };
      const message = { role: 'assistant', content: said.text };
      const choices = [{ index: 0, message, finish_reason: said.finishReason }];
      return { body: { id: 'chatcmpl-1', object: 'chat.completion', model: asked, choices, usage } };
    }
    return refused(404, 'There is no such page.');
  }

  function fileOf(id: string): { readonly id: string } {
    const { filename = '', text = '' } = files.get(id) ?? {};
    const bytes = Buffer.byteLength(text);
    const about = { object: 'file', filename, bytes, purpose: 'fine-tune', status: 'processed' };
    return { id, ...about };
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      answer(request, Buffer.concat(chunks)).then(
        (given) => send(response, given),
        (error: unknown) => send(response, refused(500, String(error))),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    faults,
    jobs,
    files,
    asked,
    authorization: () => authorization,
    cancel,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await trainer.close();
      await endpoint?.close();
    },
  };
}

type Answer = { readonly body: object; readonly status?: number; readonly lost?: boolean };

function refused(status: number, message: string): Answer {
  return { status, body: { error: { message, type: 'invalid_request_error', code: null } } };
}

function send(response: ServerResponse, { body, status = 200, lost = false }: Answer): void {
  if (lost) response.destroy();
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
