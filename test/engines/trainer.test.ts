/** The contract of every kind of trainer, on the stand-in trainer and on the real one. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../src/config/installation.ts';
import { describe, expect, it } from 'vitest';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import type { TrainerDone, TrainerJob, TrainerProgress } from '../../src/config/contract.ts';
import { trainerCommand, type TrainerProcess } from '../../src/engines/process/trainer-process.ts';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import { createTrainerProcesses } from '../../src/engines/trainer/process.ts';
import type { FineTuneJob } from '../../src/engines/trainer/trainer.ts';
import type { Store } from '../../src/store/store.ts';
import { instantTrainer } from '../support/test-dependencies.ts';
import { warmPython } from '../support/warm-python.ts';
import { type OpenTrainer, trainerContract } from './trainer.contract.ts';
import { dataset, job } from './training-jobs.ts';

/**
 * A trainer of kind `process` whose process writes its id into a file, so that it can be killed.
 *
 * @param victim which process dies when it is killed
 */
function processTrainer(
  store: Store,
  program: readonly string[],
  args: readonly string[],
  victim = (pid: number) => pid,
): OpenTrainer {
  const pidFile = join(mkdtempSync(join(tmpdir(), 'colloquy-trainer-')), 'pid');
  const trainer = openTrainer(
    { kind: 'process' },
    {
      store,
      gate: createGpuGate(),
      process: { command: ['/bin/sh', '-c', `echo $$ > ${pidFile}; exec "$@"`, 'sh', ...program], args },
    },
  );
  return { trainer, kill: () => process.kill(victim(Number(readFileSync(pidFile, 'utf8'))), 'SIGKILL') };
}

const control = mkdtempSync(join(tmpdir(), 'colloquy-trainer-control-'));
const long = (store: Store): Promise<FineTuneJob> => job(store, { num_train_epochs: 1000 });

trainerContract({
  kind: 'process, on the stand-in trainer',
  open: (store) =>
    processTrainer(
      store,
      [process.execPath, instantTrainer],
      ['--control', control, '--log', join(control, 'log'), '--step-ms', '5'],
    ),
  short: job,
  long,
  failing: async (store) => {
    writeFileSync(join(control, 'fault'), JSON.stringify({ kind: 'nan', times: 1 }));
    return { job: await job(store), kind: 'nan_loss' };
  },
});

const program = [...(await warmPython()), join(projectRoot, 'engine/train.py')];
const failing = async (store: Store) => ({
  job: { ...(await job(store)), dataset: await dataset(store, 'bad', [{ text: 'no dialogue' }]) },
  kind: 'bad_data',
});
trainerContract({
  kind: 'process, on the real train.py',
  open: (store) => processTrainer(store, program, ['--threads', '1']),
  short: job,
  long,
  failing,
});

/** Of torchrun, the process of a rank. */
function rank(torchrun: number, number: number): number {
  const found = readdirSync('/proc').find((pid) => {
    try {
      const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      return Number(fields.split(' ')[1]) === torchrun && variables.includes(`RANK=${number}`);
    } catch {
      return false;
    }
  });
  return Number(found);
}

// torchrun itself is the product's own; the ranks that it starts need not load the libraries.
const torchrun = trainerCommand({ device: { processes: 2 } }, 5_000).slice(0, -1);
trainerContract({
  kind: 'process, on two ranks of the real train.py',
  open: (store) =>
    processTrainer(store, [...torchrun, '--no-python', ...program], ['--threads', '1'], (pid) =>
      rank(pid, 1),
    ),
  short: job,
  long,
  failing,
});

/** Processes that train until they are told to end, on a machine with so much memory and so many cores. */
function processes(free: number, cores: number) {
  const ends = new Map<string, (how: number | null | Error) => void>();
  const steps = new Map<string, (memory: number | null) => void>();
  let started = 0;
  const closed: number[] = [];
  const create = (): TrainerProcess => {
    started += 1;
    const number = started;
    return {
      fineTune: ({ id }, { signal, onEvent }) =>
        new Promise<TrainerDone>((resolve, reject) => {
          steps.set(id, (memory) => onEvent?.({ event: 'step', id, memory } as TrainerProgress));
          const end = (how: number | null | Error): void => {
            ends.delete(id);
            if (how instanceof Error) reject(how);
            else resolve({ memory: how } as TrainerDone);
          };
          signal.addEventListener('abort', () => end(new Error('stopped')));
          ends.set(id, end);
        }),
      close: async () => void closed.push(number),
    };
  };
  const pool = createTrainerProcesses(create, () => free, cores);
  const jobs = new Map<string, Promise<unknown>>();
  return {
    begin: (
      id: string,
      base = 'small',
      { signal = new AbortController().signal, iteration = '1', length = 1 } = {},
    ): Promise<unknown> => {
      const job = pool.fineTune({ id, base_model: base } as TrainerJob, { signal, iteration, length });
      job.catch(() => undefined);
      jobs.set(id, job);
      return job;
    },
    /** Ends a job with what it reports, or with a failure; resolves when the next ones have begun. */
    end: async (id: string, how: number | null | Error): Promise<void> => {
      await settled();
      ends.get(id)!(how);
      await settled();
    },
    /** A job reports a step; resolves when the jobs have begun that it lets in. */
    step: async (id: string, memory: number | null): Promise<void> => {
      await settled();
      steps.get(id)!(memory);
      await settled();
    },
    training: async () => {
      await settled();
      return [...ends.keys()];
    },
    started: () => started,
    closed,
    pool,
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the training processes of a worker', () => {
  it('train side by side, on all cores, once a job has shown that its base model leaves room', async () => {
    const { begin, end, training, started } = processes(1_000, 3);
    for (const id of ['1', '2', '3', '4', '5']) void begin(id);
    expect(await training()).toEqual(['1']);
    await end('1', 100);
    expect(await training()).toEqual(['2', '3', '4']);
    await end('3', 100);
    expect(await training()).toEqual(['2', '4', '5']);
    expect(started()).toBe(3);
  });

  it('train side by side from the first step on that reports what a job takes', async () => {
    const { begin, step, training, started } = processes(1_000, 2);
    for (const id of ['1', '2', '3']) void begin(id);
    expect(await training()).toEqual(['1']);
    await step('1', 100);
    expect(await training()).toEqual(['1', '2']);
    await step('1', 600);
    expect(started()).toBe(2);
    const alone = processes(1_000, 2);
    for (const id of ['1', '2']) void alone.begin(id);
    await alone.step('1', null);
    expect(await alone.training()).toEqual(['1']);
  });

  it('begin with the longest job of an iteration, and with the iteration that came first', async () => {
    const { begin, end, training } = processes(1_000, 1);
    void begin('a short', 'small', { iteration: 'a', length: 2 });
    void begin('a shorter', 'small', { iteration: 'a', length: 1 });
    void begin('b longest', 'small', { iteration: 'b', length: 9 });
    void begin('a long', 'small', { iteration: 'a', length: 5 });
    void begin('b short', 'small', { iteration: 'b', length: 2 });
    const order: string[] = [];
    for (let [now] = await training(); now !== undefined; [now] = await training()) {
      order.push(now);
      await end(now, 100);
    }
    expect(order).toEqual(['a short', 'a long', 'a shorter', 'b longest', 'b short']);
  });

  it('train one job at a time where a job uses the whole machine, or memory has no room for two', async () => {
    const large = processes(1_000, 3);
    for (const id of ['1', '2', '3']) void large.begin(id);
    await large.end('1', null);
    expect(await large.training()).toEqual(['2']);
    const full = processes(150, 3);
    for (const id of ['1', '2', '3']) void full.begin(id);
    await full.end('1', 100);
    expect(await full.training()).toEqual(['2']);
    expect([large.started(), full.started()]).toEqual([1, 1]);
  });

  it('start no more processes at once than half of the free memory holds', async () => {
    const { begin, end, training, started } = processes(450, 8);
    for (const id of ['1', '2', '3', '4', '5', '6']) void begin(id);
    await end('1', 100);
    // The first one, and two that have not taken their memory yet.
    expect(await training()).toEqual(['2', '3', '4']);
    await end('3', 100);
    expect(await training()).toEqual(['2', '4', '5', '6']);
    expect(started()).toBe(4);
  });

  it('do not train a base model that uses the whole machine beside another, and keep the order of arrival', async () => {
    const { begin, end, training } = processes(1_000, 3);
    void begin('small 1');
    await end('small 1', 100);
    void begin('small 2');
    void begin('large 1', 'large');
    void begin('small 3');
    expect(await training()).toEqual(['small 2']);
    await end('small 2', 100);
    expect(await training()).toEqual(['large 1']);
    await end('large 1', null);
    expect(await training()).toEqual(['small 3']);
  });

  it('keep the process of a job that was stopped, and start another one for one whose job failed', async () => {
    const { begin, end, training, started, pool, closed } = processes(1_000, 3);
    const abort = new AbortController();
    const stopped = begin('1', 'small', abort);
    const waiting = begin('2', 'small', abort);
    expect(await training()).toEqual(['1']);
    abort.abort(new Error('cancelled'));
    await expect(stopped).rejects.toThrow('stopped');
    await expect(waiting).rejects.toThrow('cancelled');
    const failing = begin('3');
    await end('3', new Error('killed'));
    await expect(failing).rejects.toThrow('killed');
    expect(started()).toBe(1);
    void begin('4');
    expect(await training()).toEqual(['4']);
    expect(started()).toBe(2);
    await pool.close();
    expect(closed).toEqual([2]);
  });
});
