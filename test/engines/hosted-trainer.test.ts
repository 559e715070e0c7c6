/** A trainer of kind `openai`, at a server of that protocol whose training is the stand-in's. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { trainerSettingsSchema, type TrainerSettings } from '../../src/config/contract.ts';
import type { HostedTrainerConfig } from '../../src/config/trainers.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import type { FineTuneJob, JobProgress, Trainer } from '../../src/engines/trainer/trainer.ts';
import { refOf, writeSealed } from '../../src/store/files/sealed.ts';
import { findModel, hostedName, pruneModel, tunedModel } from '../../src/store/models.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { startFineTuningServer } from '../support/fine-tuning-server.ts';
import { baseNamed, modelNamed } from '../support/models.ts';
import { instantTrainer } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';
import { embeddedModel } from './fixtures/adapter.ts';
import { trainerContract } from './trainer.contract.ts';

const pidFile = join(mkdtempSync(join(tmpdir(), 'colloquy-hosted-')), 'pid');
const trainerOfServer = {
  command: ['/bin/sh', '-c', `echo $$ > ${pidFile}; exec "$@"`, 'sh', process.execPath, instantTrainer],
  args: ['--step-ms', '5'],
} as const;
const storeOfServer = openStore(temporaryFolder());
const server = await startFineTuningServer({
  name: 'tiny',
  base: baseNamed(embeddedModel),
  store: storeOfServer,
  trainer: openTrainer(
    { kind: 'process' },
    { store: storeOfServer, gate: createGpuGate(), process: trainerOfServer },
  ),
});
afterAll(() => server[Symbol.asyncDispose]());

const signal = new AbortController().signal;

function open(store: Store, config: Partial<HostedTrainerConfig> = {}): Trainer {
  return openTrainer(
    { kind: 'openai', url: server.url, ...config },
    { store, gate: createGpuGate() },
    'paid',
  );
}

const rows = Array.from({ length: 20 }, (_, index) => ({
  prompt: [
    { role: 'user', content: `1+${index}` },
    { role: 'assistant', content: '7' },
    { role: 'user', content: 'Again' },
  ],
  completion: [{ role: 'assistant', content: String.raw`\boxed{${index + 1}}` }],
}));

async function job(store: Store, changes: Partial<TrainerSettings> = {}): Promise<FineTuneJob> {
  const place = store.place('data/rows.jsonl');
  const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return {
    init: modelNamed('tiny', 'api'),
    dataset: refOf(place, await writeSealed(place, [{ bytes, rows: rows.length }])),
    seed: 2 ** 32 - 1,
    settings: trainerSettingsSchema.parse(changes),
  };
}

trainerContract({
  kind: 'openai',
  open: (store) => ({
    trainer: open(store),
    kill: () => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL'),
  }),
  short: job,
  long: (store) => job(store, { num_train_epochs: 1000, per_device_train_batch_size: 2 }),
  failing: async (store) => {
    server.faults.failure = { code: 'invalid_training_file', message: 'The file is empty.' };
    return { job: await job(store), kind: 'bad_data' };
  },
  hosted: true,
});

describe('a fine-tune at a server', { timeout: 60_000 }, () => {
  const store = openStore(temporaryFolder());
  const trainers: Trainer[] = [];
  const opened = (config?: Partial<HostedTrainerConfig>): Trainer => {
    const trainer = open(store, config);
    trainers.push(trainer);
    return trainer;
  };
  afterAll(() => Promise.all(trainers.map((trainer) => trainer.close())));
  let keys = 0;
  const newKey = (): string => (++keys).toString(16).padStart(64, 'a');
  const ofKey = (key: string) =>
    server.jobs.filter(
      ({ training_file: file, metadata }) =>
        metadata?.['colloquy_model'] === key || server.files.get(file)?.filename.includes(key),
    );

  it('has the corrections of a critic alone in its loss, and its content address in file, suffix and metadata', async () => {
    const key = newKey();
    vi.stubEnv('PAID_API_KEY', 'sk-secret-of-this-test');
    const trainer = opened({ api_key_env: 'PAID_API_KEY', learning_rate_multiplier: 0.5 });
    await trainer.submit(key, await job(store, { num_train_epochs: 3, per_device_train_batch_size: 5 }));
    expect(server.authorization()).toBe('Bearer sk-secret-of-this-test');
    const [made] = ofKey(key);
    const file = server.files.get(made!.training_file)!;
    expect(JSON.parse(file.text.split('\n')[0]!)).toEqual({
      messages: [
        { role: 'user', content: '1+0' },
        { role: 'assistant', content: '7', weight: 0 },
        { role: 'user', content: 'Again' },
        { role: 'assistant', content: String.raw`\boxed{1}`, weight: 1 },
      ],
    });
    expect(file.filename).toBe(`colloquy-${key}.jsonl`);
    expect(made).toMatchObject({
      model: 'tiny',
      seed: 2 ** 31 - 1,
      suffix: `colloquy-${key.slice(0, 9)}`,
      metadata: { colloquy_model: key },
      method: {
        type: 'supervised',
        supervised: { hyperparameters: { n_epochs: 3, batch_size: 20, learning_rate_multiplier: 0.5 } },
      },
    });
    await all(trainer, key);
    vi.unstubAllEnvs();
    expect(await hostedName(store, key)).toBe(made!.fine_tuned_model);
    // The rows are in the store; the server needs them no more.
    expect([...server.files.values()].filter(({ filename }) => filename.includes(key))).toEqual([]);
    const manifest = (await findModel(store, key))!;
    expect(manifest).toMatchObject({
      form: 'hosted',
      tokens: made!.trained_tokens,
      final_loss: expect.any(Number),
    });
    expect(JSON.stringify(manifest)).not.toContain('sk-secret');
    // Its name takes no room: `keep: last` leaves it where it is.
    await pruneModel(store, key);
    expect(await findModel(store, key)).toEqual(manifest);
  });

  it.each([
    ['of the file', { lostUploads: 1 }],
    ['of the job', { lostJobs: 1 }],
    ['of both, at a server that keeps no metadata', { lostUploads: 1, lostJobs: 1, forgetsMetadata: true }],
  ])('is begun once when the answer is lost: that %s', async (_, faults) => {
    const key = newKey();
    Object.assign(server.faults, faults);
    const trainer = opened();
    await trainer.submit(key, await job(store));
    expect(ofKey(key)).toHaveLength(1);
    // Another worker finds it too.
    await opened().submit(key, await job(store));
    expect(ofKey(key)).toHaveLength(1);
    await all(trainer, key);
    server.faults.forgetsMetadata = false;
    expect(await findModel(store, key)).not.toBeNull();
  });

  it('goes on when its worker ends, and is found by the next one', async () => {
    const key = newKey();
    const first = opened();
    const long = await job(store, { num_train_epochs: 1000 });
    await first.submit(key, long);
    for await (const { event } of first.watch(key, signal)) if (event === 'step') break;
    await first.close();
    const next = opened();
    await next.submit(key, long);
    for await (const { event } of next.watch(key, signal)) if (event === 'step') break;
    expect(ofKey(key)).toMatchObject([{ status: 'running' }]);
    await next.stop(key);
    expect(ofKey(key)).toMatchObject([{ status: 'cancelled' }]);
  });

  it('that fails quotes the row that the server names', async () => {
    const key = newKey();
    const message = 'The training file has a problem: Line 17 has a message without content.';
    server.faults.failure = { code: 'invalid_training_file', param: 'training_file', message };
    const trainer = opened();
    await trainer.submit(key, await job(store));
    const failed = await failureOf(trainer, key);
    expect(failed).toMatchObject({ name: 'FineTuneFailed', kind: 'bad_data', retryable: false });
    expect(failed.message).toContain(message);
    expect(failed.message).toContain(
      'Row 17 of the dataset is {"messages":[{"role":"user","content":"1+16"}',
    );
    // It is reported once. A person who tries again wants another job.
    await opened().submit(key, await job(store));
    expect(ofKey(key).map(({ status }) => status)).toEqual(['failed', expect.not.stringMatching('failed')]);
  });

  it.each([
    ['server_error', 'internal', true],
    ['exceeded_quota', 'bad_settings', false],
    ['unsafe_data', 'bad_data', false],
  ])('that fails by %s is %s: only trouble of the server may pass', async (code, kind, retryable) => {
    const key = newKey();
    server.faults.failure = { code, message: 'No.' };
    const trainer = opened();
    await trainer.submit(key, await job(store));
    expect(await failureOf(trainer, key)).toMatchObject({ kind, retryable });
  });

  it('that its owner cancelled is not begun again without a person, even if no worker saw the end', async () => {
    const key = newKey();
    const first = opened();
    const long = await job(store, { num_train_epochs: 1000 });
    await first.submit(key, long);
    await first.close();
    await server.cancel(ofKey(key)[0]!.id);
    const next = opened();
    await next.submit(key, long);
    const cancelled = await failureOf(next, key);
    expect(cancelled).toMatchObject({ name: 'HostedJobCancelled', retryable: false, job: ofKey(key)[0]!.id });
    expect(ofKey(key)).toHaveLength(1);
    await next.submit(key, long);
    expect(ofKey(key)).toHaveLength(2);
    await next.stop(key);
  });

  it('that stays queued is shown with since when, and is given up after the limit, which it states', async () => {
    const key = newKey();
    server.faults.queue = true;
    const trainer = opened({ queue_hours: 0.0004 });
    await trainer.submit(key, await job(store));
    server.faults.queue = false;
    const events: JobProgress[] = [];
    const watching = async (): Promise<void> => {
      for await (const event of trainer.watch(key, signal)) events.push(event);
    };
    await expect(watching()).rejects.toThrow(
      /has been queued at http.*since 20.*has not begun within 0\.0004 hours.*queue_hours.*was cancelled/,
    );
    const [made] = ofKey(key);
    expect(events).toEqual([
      {
        event: 'waiting',
        job: made!.id,
        state: 'queued',
        since: new Date(made!.created_at * 1000),
        until: new Date(made!.created_at * 1000 + 1440),
      },
    ]);
    expect(made!.status).toBe('cancelled');
  });

  it('may stay queued for a day, where the configuration says nothing else', async () => {
    const key = newKey();
    const hour = 3_600_000;
    const trainer = opened();
    server.faults.queue = true;
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      await trainer.submit(key, await job(store));
      server.faults.queue = false;
      const begin = Date.now();
      const failed = failureOf(trainer, key);
      for (const hours of [1, 23]) {
        const looks = server.asked.length;
        vi.setSystemTime(begin + hours * hour);
        await until('the job was looked at three times', () => server.asked.length > looks + 2);
        expect(ofKey(key)).toMatchObject([{ status: 'queued' }]);
      }
      vi.setSystemTime(begin + 24 * hour + 1_000);
      expect(await failed).toMatchObject({ name: 'HostedJobNotBegun', retryable: false });
      expect(ofKey(key)).toMatchObject([{ status: 'cancelled' }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('of rows with weights is refused, because the server cannot weight rows', async () => {
    const place = store.place('data/weighted.jsonl');
    const bytes = Buffer.from(`${JSON.stringify({ ...rows[0], weight: 2 })}\n`);
    const dataset = refOf(place, await writeSealed(place, [{ bytes, rows: 1 }]));
    const submitted = opened().submit(newKey(), { ...(await job(store)), dataset });
    await expect(submitted).rejects.toMatchObject({ name: 'FineTuneFailed', kind: 'bad_settings' });
  });

  it('is checked before the first question: the server has such an API', async () => {
    const nothing = { examples: [], lora_target_modules: null };
    await opened().check({ name: 'tiny' }, nothing, signal);
    const elsewhere = opened({ url: `${server.url}/elsewhere` });
    await expect(elsewhere.check({ name: 'tiny' }, nothing, signal)).rejects.toMatchObject({
      name: 'TrainingImpossible',
    });
  });

  it('whose model is not served is an error that names the model', async () => {
    const key = newKey();
    const trainer = opened();
    await trainer.submit(key, await job(store));
    await all(trainer, key);
    const endpoint = openEndpoint({ kind: 'openai', url: server.url }, 'tiny', {
      logFolder: store.logs,
      modelFolder: async () => '/nowhere',
      hostedName: (each) => hostedName(store, each),
      patient: false,
    });
    const model = tunedModel(baseNamed('tiny', 'api'), key, 'hosted');
    // Read before the endpoint is asked: its answer may come while nobody waits for it.
    const name = await hostedName(store, key);
    await expect(endpoint.serve([model], signal)).rejects.toMatchObject({
      name: 'HostedModelNotServed',
      model: name,
    });
    // An adapter that another server trained is none of its models.
    const adapter = tunedModel(baseNamed('tiny', 'api'), key, 'adapter');
    await expect(endpoint.serve([adapter], signal)).rejects.toMatchObject({ name: 'AdaptersUnsupported' });
    await endpoint.close();
  });
});

async function all(trainer: Trainer, key: string): Promise<void> {
  for await (const _ of trainer.watch(key, signal));
}

async function failureOf(trainer: Trainer, key: string): Promise<Error> {
  return all(trainer, key).then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error as Error,
  );
}
