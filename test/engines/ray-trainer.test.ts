/** The answers of Ray's Jobs API and what a trainer makes of them, on a stand-in. What a real Ray does: npm run test:ray. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RayConfig } from '../../src/config/trainers.ts';
import { createRayTrainer } from '../../src/engines/trainer/ray.ts';
import type { FineTuneJob, JobProgress, Trainer } from '../../src/engines/trainer/trainer.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { errorOf } from '../support/error-of.ts';
import { until } from '../support/until.ts';
import { type RayStandIn, rayStandIn } from './ray-stand-in.ts';
import { job } from './training-jobs.ts';

const store = openStore(temporaryFolder());
const never = new AbortController().signal;
const variable = 'RAY_STAND_IN_TOKEN';
const token = 'a-token-of-the-stand-in';
const opened: Trainer[] = [];
let ray: RayStandIn;
let key = '';
let keys = 0;

beforeAll(() => {
  process.env[variable] = token;
});
afterAll(() => {
  delete process.env[variable];
});
beforeEach(async () => {
  ray = await rayStandIn();
  keys += 1;
  key = (0xb00 + keys).toString(16).padStart(64, '0');
});
afterEach(async () => {
  ray.instead = () => false;
  ray.onStop = (stopped) => (stopped.status = 'STOPPED');
  await Promise.allSettled(opened.splice(0).map((trainer) => trainer.close()));
  await ray.close();
});

function open(changes: Partial<RayConfig> = {}, patienceMs = 40): Trainer {
  const config = { kind: 'ray', url: ray.url, gpus_per_process: 0, ...changes } as const;
  const trainer = createRayTrainer({
    store,
    config,
    pollMs: 5,
    patienceMs,
    stallMs: 200,
  });
  opened.push(trainer);
  return trainer;
}

async function watched(trainer: Trainer): Promise<JobProgress[]> {
  const events: JobProgress[] = [];
  for await (const event of trainer.watch(key, never)) events.push(event);
  return events;
}

async function trained(trainer: Trainer, work?: FineTuneJob): Promise<JobProgress[]> {
  await trainer.submit(key, work ?? (await job(store)));
  return watched(trainer);
}

const started = { event: 'started', id: 'x', total_steps: 2, resumed_from_step: 0, rows: 8, dropped_rows: 0 };
const line = (event: object): string => `${JSON.stringify(event)}\n`;

describe('a job of Ray', () => {
  it('has an id of its key, what attaches to it, and time for a checkpoint', async () => {
    await open().submit(key, await job(store));
    const [[id, submitted] = []] = ray.jobs;
    expect(id).toMatch(new RegExp(`^colloquy-${key}-[0-9a-z]{8}-1$`));
    expect(submitted).toMatchObject({
      metadata: { colloquy_key: key },
      runtime_env: { env_vars: { RAY_JOB_STOP_WAIT_TIME_S: '600' } },
      entrypoint: expect.stringContaining('exec "$python" "$folder"/engine/ray_job.py "$folder"'),
    });
  });

  it('is submitted once when its answer is lost, and when two workers submit it', async () => {
    ray.losesAnswers = true;
    await Promise.all([open().submit(key, await job(store)), open().submit(key, await job(store))]);
    expect(ray.jobs.size).toBe(1);
  });

  it('is no other than that of its key and its store', async () => {
    await open().submit(key, await job(store));
    const [submitted] = ray.jobs.values();
    for (const changes of [{ colloquy_key: 'another' }, { colloquy_store: 'another' }]) {
      const { metadata } = submitted!;
      submitted!.metadata = { ...metadata, ...changes };
      expect(await errorOf(trained(open()))).toMatchObject({ name: 'RayJobIdTaken', retryable: false });
      await expect(open().stop(key)).rejects.toThrow('it is not this fine-tune in this store');
      submitted!.metadata = metadata;
    }
    expect(ray.stops).toEqual([]);
  });

  it('has a next attempt with another id when it has failed, also where the head does not know it any more', async () => {
    ray.onJob = (begun, write) => {
      write('begun', '');
      begun.status = 'FAILED';
      begun.driver_exit_code = 1;
    };
    const trainer = open();
    expect(await errorOf(trained(trainer))).toMatchObject({ name: 'TrainerExited', retryable: true });
    ray.jobs.clear();
    expect(await errorOf(watched(trainer))).toMatchObject({ name: 'RayJobLost', retryable: true });
    await trainer.submit(key, await job(store));
    expect([...ray.jobs.keys()]).toEqual([expect.stringMatching(/-2$/)]);
  });

  it('keeps its id when nothing of it has begun: its submission may still arrive', async () => {
    const trainer = open();
    await trainer.submit(key, await job(store));
    ray.jobs.clear();
    await trainer.submit(key, await job(store));
    expect([...ray.jobs.keys()]).toEqual([expect.stringMatching(/-1$/)]);
  });

  it('is stopped when it has ended, not when it was asked to', async () => {
    let looks = 0;
    ray.onStop = () => {
      ray.instead = (request) => {
        if (request.method === 'GET') looks += 1;
        if (looks === 3) for (const each of ray.jobs.values()) each.status = 'STOPPED';
        return false;
      };
    };
    const trainer = open();
    await trainer.submit(key, await job(store));
    const error = errorOf(watched(trainer));
    await trainer.stop(key);
    expect(looks).toBeGreaterThanOrEqual(3);
    expect(ray.stops).toHaveLength(1);
    expect(await error).toMatchObject({ name: 'FineTuneStopped' });
  });
});

describe('the events of a job of Ray', () => {
  it('are read line by line, each when all of it is there', async () => {
    const trainer = open();
    let write: (text: string) => void = () => undefined;
    let looks = 0;
    ray.instead = () => {
      looks += 1;
      return false;
    };
    ray.onJob = (_, file) => (write = (text) => file('events.jsonl', text));
    await trainer.submit(key, await job(store));
    const events = trainer.watch(key, never)[Symbol.asyncIterator]();
    const text = line(started);
    write(text.slice(0, 20));
    const first = events.next();
    await until('the line was looked at', () => true);
    write(text);
    expect(await first).toEqual({ value: started, done: false });
    await events.return?.();
  });

  it.each([
    [
      'of rank 0 that failed',
      {
        'events.jsonl':
          line(started) + line({ event: 'failed', id: 'x', kind: 'bad_data', message: 'row 3' }),
      },
      { name: 'FineTuneFailed', kind: 'bad_data' },
    ],
    [
      'of another rank that failed',
      {
        'events.jsonl': line(started),
        'failures.jsonl': line({
          event: 'failed',
          id: 'x',
          kind: 'bad_trainer',
          message: 'not visible on 10.0.0.2',
        }),
      },
      { name: 'FineTuneFailed', kind: 'bad_trainer', message: expect.stringContaining('10.0.0.2') },
    ],
    ['of another protocol', { 'events.jsonl': 'Segmentation fault\n' }, { name: 'TrainerSpokeGarbage' }],
    ['that say nothing of the end', { 'events.jsonl': line(started) }, { name: 'TrainerExited' }],
  ])('%s', async (_, files, error) => {
    ray.onJob = (begun, write) => {
      for (const [file, text] of Object.entries(files)) write(file, text);
      Object.assign(begun, { status: 'FAILED', driver_exit_code: 1, message: 'the end of a log' });
    };
    expect(await errorOf(trained(open()))).toMatchObject(error);
  });

  it('that stop in the middle are the end of the job', async () => {
    ray.onJob = (_, write) => write('events.jsonl', line(started));
    expect(await errorOf(trained(open()))).toMatchObject({ name: 'TrainerStalled' });
    expect(ray.stops).toHaveLength(1);
  });
});

describe('a job of Ray that failed', () => {
  it.each([
    ['without the store', 73, { name: 'RayStoreNotVisible', retryable: false }],
    ['without a Python', 127, { name: 'FineTuneFailed', kind: 'bad_trainer' }],
    ['by kill -9', -9, { name: 'TrainerExited', status: { code: null, signal: 'SIGKILL' } }],
    ['with its node', null, { name: 'RayJobLost', message: expect.stringContaining('node died') }],
  ])('%s', async (_, code, error) => {
    ray.onJob = (begun) =>
      Object.assign(begun, {
        status: 'FAILED',
        driver_exit_code: code,
        // Ray says first what happened, and then at length why that may be.
        message: `\u001b[36mnode\n\tdied\u001b[0m. ${'It may be that. '.repeat(100)}`,
      });
    expect(await errorOf(trained(open()))).toMatchObject(error);
  });
});

describe('a Ray cluster', () => {
  it('that cannot be reached', async () => {
    const trainer = open({ url: 'http://127.0.0.1:9' });
    expect(await errorOf(trained(trainer))).toMatchObject({ name: 'RayUnreachable', retryable: true });
  });

  it('whose dashboard fails for a moment while its head begins or ends', async () => {
    let failures = 0;
    ray.onJob = (begun, write) => {
      write('events.jsonl', line(started));
      ray.instead = (_request, answer) => {
        failures += 1;
        if (failures === 4) begun.status = 'STOPPED';
        if (failures > 3) return false;
        answer.writeHead(500).end('Internal Server Error');
        return true;
      };
    };
    expect(await errorOf(trained(open({}, 10_000)))).toMatchObject({ name: 'FineTuneStopped' });
    ray.instead = (_request, answer) => {
      answer.writeHead(503).end();
      return true;
    };
    expect(await errorOf(open().submit(key, await job(store)))).toMatchObject({ name: 'RayUnreachable' });
  });

  it('that is lost in the middle of a job, whose events still come for a while', async () => {
    ray.onJob = (_, write) => {
      write('events.jsonl', line(started));
      setImmediate(() => void ray.close());
    };
    expect(await errorOf(trained(open()))).toMatchObject({ name: 'RayUnreachable' });
  });

  it.each([
    [401, undefined, 'Put its token into an environment variable'],
    [403, variable, 'Is the token in the variable'],
  ])('that refuses with %i', async (status, api_key_env, words) => {
    ray.instead = ({ headers }, answer) => {
      answer.writeHead(status).end(`Unauthorized: ${headers.authorization}`);
      return true;
    };
    const error = await errorOf(trained(open({ api_key_env })));
    expect(error).toMatchObject({ name: 'RayRefused', status, retryable: true });
    expect(error.message).toContain(words);
    expect(error.message).not.toContain(token);
  });

  it.each([
    ['a page of another program', 200, '<html>'],
    ['a page for what it does not have', 404, 'Not found'],
    ['what no Ray says', 200, '{"status": "DREAMING"}'],
  ])('that answers with %s', async (_, status, text) => {
    ray.instead = (_request, answer) => {
      answer.writeHead(status).end(text);
      return true;
    };
    expect(await errorOf(trained(open()))).toMatchObject({ name: 'RayAnswerInvalid', retryable: true });
  });

  it('that has no devices for a job: it is told what is asked for and what is there, and the job is stopped', async () => {
    ray.nodes = [{ CPU: 8, GPU: 1 }, { CPU: 1, GPU: 4 }, { memory: 1 }];
    const error = await errorOf(trained(open({ processes: 3, cpus_per_process: 2, gpus_per_process: 1 })));
    expect(error).toMatchObject({ name: 'RayCannotPlace', retryable: false });
    expect(error.message).toContain(
      'it asks for 3 processes with 2 CPUs and 1 GPU each, and the cluster has 3 nodes (8 CPUs and 1 GPU; 1 CPU and 4 GPUs; 0 CPUs and no GPU)',
    );
    expect(ray.stops).toHaveLength(1);
  });

  it('that has no GPU is told within a minute, where the configuration says nothing of patience', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const begin = Date.now();
      // Each look at the job takes a second.
      ray.instead = ({ method, url }) => {
        if (method === 'GET' && url?.startsWith('/api/jobs/')) vi.setSystemTime(Date.now() + 1_000);
        return false;
      };
      const config = { kind: 'ray', url: ray.url } as const;
      const trainer = createRayTrainer({ store, config, pollMs: 1 });
      opened.push(trainer);
      const error = await errorOf(trained(trainer));
      expect(error).toMatchObject({ name: 'RayCannotPlace' });
      expect(error.message).toContain(
        'it asks for 1 process with 1 CPU and 1 GPU each, and the cluster has 1 node (4 CPUs and no GPU)',
      );
      expect(Date.now() - begin).toBeLessThan(60_000);
      expect(Date.now() - begin).toBeGreaterThan(20_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that gets its nodes a little later', async () => {
    ray.nodes = [];
    ray.onJob = (begun, write) => {
      ray.nodes = [{ CPU: 1 }];
      setTimeout(() => {
        write('events.jsonl', line(started));
        begun.status = 'STOPPED';
      }, 80);
    };
    expect(await errorOf(trained(open({}, 10_000)))).toMatchObject({ name: 'FineTuneStopped' });
  });
});
