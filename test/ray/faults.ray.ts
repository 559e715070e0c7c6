/** What can happen to fine-tunes on a real Ray. Each ends with the adapter of an undisturbed one. */
import { mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainerSettings } from '../../src/config/contract.ts';
import type { RayConfig } from '../../src/config/trainers.ts';
import { pause } from '../../src/engines/waiting.ts';
import { createAttempts } from '../../src/engines/trainer/ray-attempts.ts';
import { createRayCluster } from '../../src/engines/trainer/ray-cluster.ts';
import { createRayTrainer } from '../../src/engines/trainer/ray.ts';
import type { JobProgress, Trainer } from '../../src/engines/trainer/trainer.ts';
import { findModel } from '../../src/store/models.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { errorOf } from '../support/error-of.ts';
import { until } from '../support/until.ts';
import { embeddedModel } from '../engines/fixtures/adapter.ts';
import { job } from '../engines/training-jobs.ts';
import { losingAnswers } from './losing-answers.ts';
import { end, python, type RealRay, startRay, tokenVariable } from './real-ray.ts';

const store = openStore(temporaryFolder());
const never = new AbortController().signal;
const steps = { num_train_epochs: 20 };
let ray: RealRay;
let undisturbed: Trained;
let keys = 0;
const opened: Trainer[] = [];

beforeAll(async () => {
  ray = await startRay({ cpus: 2 });
  undisturbed = await trained(open());
});
afterAll(async () => {
  await Promise.allSettled(opened.map((trainer) => trainer.close()));
  await ray.stop();
});

function open(changes: Partial<RayConfig> = {}, patienceMs = 10_000): Trainer {
  const config = {
    kind: 'ray',
    url: ray.url,
    api_key_env: tokenVariable,
    gpus_per_process: 0,
    python,
  } as const;
  const options = { store, pollMs: 100, patienceMs };
  const trainer = createRayTrainer({ config: { ...config, ...changes }, ...options });
  opened.push(trainer);
  return trainer;
}

function newKey(): string {
  keys += 1;
  return (0xa00 + keys).toString(16).padStart(64, '0');
}

type Trained = {
  readonly adapter: unknown;
  readonly losses: readonly number[];
  readonly resumed: readonly number[];
};

/** Has a model made, with as many attempts as it takes. `onEvent` is called for each event. */
async function trained(
  trainer: Trainer,
  {
    key = newKey(),
    changes = steps,
    failures = [],
    onEvent = () => undefined,
  }: {
    readonly key?: string;
    readonly changes?: Partial<TrainerSettings>;
    /** Gets why attempts ended. */
    readonly failures?: string[];
    readonly onEvent?: (event: JobProgress, attempt: number) => void | Promise<void>;
  } = {},
): Promise<Trained & { readonly failures: readonly string[] }> {
  const work = await job(store, changes);
  const losses = new Map<number, number>();
  const resumed: number[] = [];
  for (let attempt = 1; ; attempt += 1) {
    try {
      await trainer.submit(key, work);
      for await (const event of trainer.watch(key, never)) {
        if (event.event === 'step') losses.set(event.step, event.loss);
        if (event.event === 'started') resumed.push(event.resumed_from_step);
        await onEvent(event, attempt);
      }
      const manifest = await findModel(store, key);
      const weights = changes.method === 'full' ? 'model.safetensors' : 'adapter_model.safetensors';
      return {
        adapter: manifest?.files[weights]?.sha256,
        losses: [...losses.entries()].toSorted(([a], [b]) => a - b).map(([, loss]) => loss),
        resumed,
        failures,
      };
    } catch (error) {
      if (!(error instanceof Error) || attempt === 200) throw error;
      failures.push(`${error.name}: ${error.message}`);
      // As a step's retries do.
      if (error.name === 'RayUnreachable') await pause(2_000, never);
    }
  }
}

function endOf(words: string): void {
  const pid = ray.process(words);
  expect(pid, `a process ${words}`).toBeDefined();
  if (pid !== undefined) end(pid, 'SIGKILL');
}

describe('a fine-tune on Ray', () => {
  it('is trained once when the answer to its submission is lost', async () => {
    const proxy = await losingAnswers(ray.url, 1);
    const { adapter, failures, resumed } = await trained(open({ url: proxy.url }));
    expect(proxy.lost()).toBe(1);
    await proxy.close();
    expect({ adapter, failures, resumed }).toEqual({
      adapter: undisturbed.adapter,
      failures: [],
      resumed: [0],
    });
  });

  it('goes on from its newest checkpoint after each of four kills: of its rank, of Ray Train’s controller, of its driver, and of the head', async () => {
    const killed = ['ray::RayTrainWorker', 'ray::TrainController', 'ray_job.py'];
    let another: Promise<void> | undefined;
    const { adapter, failures, resumed, losses } = await trained(open(), {
      onEvent: (event, attempt) => {
        if (event.event !== 'step' || event.step !== 6 * attempt) return;
        const words = killed[attempt - 1];
        if (words !== undefined) endOf(words);
        // All processes of the head at once.
        else if (attempt === 4) another = ray.kill().then(() => ray.startAgain());
      },
    });
    await another;
    expect(failures.map((failure) => failure.slice(0, failure.indexOf(':')))).toEqual([
      ...killed.map(() => 'TrainerExited'),
      ...failures.slice(3).map(() => expect.stringMatching(/^Ray(Unreachable|JobLost)$/)),
    ]);
    expect(failures.length).toBeGreaterThanOrEqual(4);
    expect(resumed).toHaveLength(5);
    for (const [place, step] of resumed.entries()) expect(step).toBeGreaterThanOrEqual(6 * place - 1);
    expect({ adapter, losses }).toEqual({ adapter: undisturbed.adapter, losses: undisturbed.losses });
  });

  it('is not trained beside the program of a job whose supervisor has died, also where nothing ends that program', async () => {
    const failures: string[] = [];
    let rank = 0;
    const training = trained(open(), {
      failures,
      onEvent: (event, attempt) => {
        if (attempt > 1 || event.event !== 'step' || event.step !== 6) return;
        rank = ray.process('ray::RayTrainWorker') ?? 0;
        end(rank, 'SIGSTOP');
        // By this shell, Ray ends the program of a supervisor that has died.
        endOf('while kill -s 0');
        endOf('ray::JobSupervisor');
      },
    });
    await until('an attempt was kept out', () => failures.some((each) => each.includes('in_use')), 600_000);
    end(rank, 'SIGCONT');
    expect((await training).adapter).toBe(undisturbed.adapter);
    expect(failures[0]).toContain('RayJobLost: The job colloquy-');
    expect(failures[0]).toContain('is lost: Job supervisor actor died');
    for (const each of failures.slice(1)) expect(each).toMatch(/^FineTuneFailed: .*in_use/s);
  });

  it('is attached to by another worker, which shows what comes next, and stops it after a checkpoint', async () => {
    const key = newKey();
    const work = await job(store, { num_train_epochs: 1000 });
    const first = open();
    await first.submit(key, work);
    for await (const { event } of first.watch(key, never)) if (event === 'step') break;
    const second = open();
    await second.submit(key, work);
    const seen: JobProgress[] = [];
    const watched = errorOf(
      (async () => {
        for await (const event of second.watch(key, never)) seen.push(event);
      })(),
    );
    await second.stop(key);
    expect(await watched).toMatchObject({ name: 'FineTuneStopped' });
    expect(seen[0]?.event).not.toBe('started');
    expect(seen.at(-1)).toMatchObject({ event: 'stopped', checkpoint: expect.stringContaining('step-') });
  });
});

describe('several ranks of Ray Train', () => {
  it('train an adapter as one does; when one of them dies the others end, and one rank alone goes on', async () => {
    const one = undisturbed;
    const key = newKey();
    const [two, alone] = [open({ processes: 2 }), open()];
    await two.submit(key, await job(store, steps));
    const losses: number[] = [];
    const failure = await errorOf(
      (async () => {
        for await (const event of two.watch(key, never)) {
          if (event.event !== 'step') continue;
          losses.push(event.loss);
          if (event.step === 10) endOf('ray::RayTrainWorker');
        }
      })(),
    );
    expect(failure).toMatchObject({ name: 'TrainerExited', retryable: true });
    expect(losses.slice(0, 10)).toEqual(one.losses.slice(0, 10).map((loss) => expect.closeTo(loss, 3)));
    const rest = await trained(alone, { key });
    expect(rest.resumed[0]).toBeGreaterThanOrEqual(9);
    const done = one.losses.length - rest.losses.length;
    expect(rest.losses).toEqual(one.losses.slice(done).map((loss) => expect.closeTo(loss, 2)));
  });

  it('train a whole model with FSDP as one does', async () => {
    const changes = { method: 'full', num_train_epochs: 4, learning_rate: 1e-5 } as const;
    const one = await trained(open(), { changes });
    const two = await trained(open({ processes: 2 }), { changes });
    expect(two.failures).toEqual([]);
    expect(two.losses).toEqual(one.losses.map((loss) => expect.closeTo(loss, 3)));
  });
});

describe('what a cluster refuses or lacks', () => {
  const check = { examples: [], lora_target_modules: 'all-linear' } as const;

  it('is found out by a check before anything is trained', async () => {
    await open().check({ name: embeddedModel }, check, never);
    expect(
      await errorOf(open({ gpus_per_process: 1 }, 1_000).check({ name: embeddedModel }, check, never)),
    ).toMatchObject({
      name: 'RayCannotPlace',
    });
    expect(
      await errorOf(open({ store: '/mnt/nothing' }).check({ name: embeddedModel }, check, never)),
    ).toMatchObject({ name: 'RayStoreNotVisible' });
    expect(
      await errorOf(open({ python: '/none/python' }).check({ name: embeddedModel }, check, never)),
    ).toMatchObject({
      name: 'FineTuneFailed',
      kind: 'bad_trainer',
    });
    expect(
      await errorOf(
        open().check({ name: embeddedModel }, { ...check, lora_target_modules: ['none'] }, never),
      ),
    ).toMatchObject({ name: 'TrainingImpossible' });
  });

  it('is a token: without one, and with another one', async () => {
    process.env['OTHER_TOKEN'] = 'another-token';
    const refused = (config: Partial<RayConfig>) => errorOf(trainedOnce(open(config)));
    expect(await refused({ api_key_env: undefined })).toMatchObject({ name: 'RayRefused', status: 401 });
    expect(await refused({ api_key_env: 'OTHER_TOKEN' })).toMatchObject({ name: 'RayRefused', status: 403 });
  });

  it('is devices or the store, and the fine-tune is trained when it has both, also at another path', async () => {
    const key = newKey();
    const error = await errorOf(trainedOnce(open({ gpus_per_process: 1, processes: 4 }, 1_000), key));
    expect(error).toMatchObject({ name: 'RayCannotPlace', retryable: false });
    expect(error.message).toContain(
      'it asks for 4 processes with 1 CPU and 1 GPU each, and the cluster has 1 node (2 CPUs and no GPU)',
    );
    await open().stop(key);
    expect(await errorOf(trainedOnce(open({ store: '/mnt/nothing' }), key))).toMatchObject({
      name: 'RayStoreNotVisible',
    });
    const mount = join(mkdtempSync('/tmp/colloquy-mount-'), 'runs');
    symlinkSync(store.local, mount);
    expect(await trainedOnce(open({ store: mount }), key)).toBeUndefined();
  });

  it('is an id that another job has', async () => {
    const key = newKey();
    const config = { kind: 'ray', url: ray.url, api_key_env: tokenVariable } as const;
    const cluster = createRayCluster(config);
    const attempts = createAttempts({ store, config, cluster, pollMs: 100 });
    const { id } = await attempts.numbered(key, 1);
    await cluster.submit({ id, entrypoint: 'sleep 60', environment: {}, metadata: { owner: 'x' } }, never);
    expect(await errorOf(trainedOnce(open(), key))).toMatchObject({
      name: 'RayJobIdTaken',
      retryable: false,
    });
    expect(await cluster.job(id, never)).toMatchObject({ metadata: { owner: 'x' } });
    await cluster.requestStop(id, never);
    cluster.close();
  });

  async function trainedOnce(trainer: Trainer, key = newKey()): Promise<void> {
    await trainer.submit(key, await job(store));
    for await (const _ of trainer.watch(key, never));
  }
});
