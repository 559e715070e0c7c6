/** What every trainer must do, whatever its kind. Run on the stand-in trainer, on engine/train.py with the embedded model (one process, and two that torchrun starts), and on a server that trains. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FineTuneJob, JobProgress, Trainer } from '../../src/engines/trainer/trainer.ts';
import { findModel } from '../../src/store/models.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

export interface ContractCase {
  readonly kind: string;
  /** Opens a trainer on a store. */
  readonly open: (store: Store) => OpenTrainer;
  /** A job that takes a second or less. */
  readonly short: (store: Store) => Promise<FineTuneJob>;
  /** A job that runs until it is stopped or killed, and goes on for as long after its checkpoint. */
  readonly long: (store: Store) => Promise<FineTuneJob>;
  /** A job that fails, and with which kind. */
  readonly failing: (store: Store) => Promise<{ readonly job: FineTuneJob; readonly kind: string }>;
  /** Whether a server trains: it shows neither learning rates nor checkpoints, measures no movement, and begins a stopped job again. */
  readonly hosted?: true;
  /** How long a test may take. By default two minutes. */
  readonly timeoutMs?: number;
}

export interface OpenTrainer {
  readonly trainer: Trainer;
  /** Kills at once what trains. */
  readonly kill: () => void;
}

const never = new AbortController().signal;
let keys = 0;

export function trainerContract({
  kind,
  open,
  short,
  long,
  failing,
  hosted,
  timeoutMs = 120_000,
}: ContractCase): void {
  describe(`a trainer of kind ${kind}`, { timeout: timeoutMs }, () => {
    const store = openStore(temporaryFolder());
    const { trainer, kill } = open(store);
    let key: string;
    beforeEach(() => {
      key = newKey();
    });
    afterEach(() => trainer.stop(key));
    afterAll(() => trainer.close());

    // The first test: a trainer that knows how much memory a job takes may train several side by side.
    it('has a second job wait for its turn, and does not mind when that one is stopped', async () => {
      const second = newKey();
      const third = newKey();
      const job = await short(store);
      await trainer.submit(key, await long(store));
      // A cluster gives its devices to the job that is the first to ask for them, which need not be the one that was submitted first.
      await until(trainer, key, ({ event }) => event !== 'waiting');
      await Promise.all([trainer.submit(second, job), trainer.submit(third, job)]);
      const order: string[] = [];
      const watching = [second, third].map(async (each) => {
        for await (const { event } of trainer.watch(each, never)) if (event === 'started') order.push(each);
      });
      const stopped = failureOf(watching[0]!);
      await until(trainer, key, ({ event }) => event === 'step');
      await trainer.stop(second);
      expect(await stopped).toMatchObject({ name: 'FineTuneStopped' });
      expect(order).toEqual([]);
      await until(trainer, key, ({ event }) => event === 'step');
      await trainer.stop(key);
      await watching[1];
      expect(order).toEqual([third]);
      expect(await findModel(store, second)).toBeNull();
    });

    it('makes the model that a job is for: its events end, and the manifest is in the store', async () => {
      await trainer.submit(key, await short(store));
      const events = await all(trainer, key);
      expect(events[0]).toMatchObject({ event: 'started', resumed_from_step: 0 });
      expect(stepsOf(events)).toEqual(stepsOf(events).toSorted((a, b) => a - b));
      const manifest = await findModel(store, key);
      expect(manifest).toMatchObject({ steps: stepsOf(events).at(-1), settings: { method: 'lora' } });
      // No step is wasted: also the first one of a warm-up learns.
      const rates = events.flatMap((event) => (event.event === 'step' ? [event.learning_rate] : []));
      expect(rates.every((rate) => (rate === null ? hosted : rate > 0))).toBe(true);
      const kept = { form: 'hosted', files: {}, hosted: { name: expect.any(String) } };
      const measured = {
        peak_learning_rate: Math.max(...rates.map(Number)),
        moved: { kl_per_token: expect.any(Number), rows: expect.any(Number) },
      };
      const unmeasured = { peak_learning_rate: null, moved: null };
      expect(manifest).toMatchObject(hosted ? { ...unmeasured, ...kept } : measured);
    });

    it('trains a job once, however often it is submitted', async () => {
      const job = await short(store);
      await Promise.all([trainer.submit(key, job), trainer.submit(key, job)]);
      const watched = all(trainer, key);
      await trainer.submit(key, job);
      const events = await watched;
      expect(events.filter(({ event }) => event === 'started')).toHaveLength(1);
      // Finished: there is nothing to do.
      await trainer.submit(key, job);
      expect(await all(trainer, key)).toEqual([]);
      const next = open(store).trainer;
      await next.submit(key, job);
      expect(await all(next, key)).toEqual([]);
    });

    it('shows a job to several callers at once, also to those that come later', async () => {
      await trainer.submit(key, await short(store));
      const first = all(trainer, key);
      const second = all(trainer, key);
      const late: Promise<JobProgress[]>[] = [];
      for await (const event of trainer.watch(key, never))
        if (event.event === 'step' && late.length === 0) late.push(all(trainer, key));
      expect(await second).toEqual(await first);
      const events = await first;
      const seenLate = (await late[0])!;
      expect(seenLate[0]).not.toMatchObject({ event: 'started' });
      // None of them where all events came at once with the end of the job, as they may from a cluster that is asked now and then.
      expect(events.slice(events.length - seenLate.length)).toEqual(seenLate);
    });

    it('has nothing to show of a job that was never submitted', async () => {
      await expect(all(trainer, key)).rejects.toMatchObject({ name: 'FineTuneNotSubmitted' });
    });

    it('stops a job after a checkpoint, and goes on from there when it is submitted again', async () => {
      const job = await long(store);
      await trainer.submit(key, job);
      await until(trainer, key, ({ event }) => event === 'step');
      const watched = all(trainer, key);
      await Promise.all([
        expect(watched).rejects.toMatchObject({ name: 'FineTuneStopped', retryable: true }),
        trainer.stop(key),
      ]);
      expect(await findModel(store, key)).toBeNull();
      await trainer.submit(key, job);
      const started = await until(trainer, key, ({ event }) => event === 'started');
      expect(resumedFrom(started) > 0).toBe(!hosted);
    });

    it('goes on with a job when a caller looks away, and a new one goes on with it after a kill', async () => {
      const job = await long(store);
      await trainer.submit(key, job);
      const abort = new AbortController();
      const looksAway = async (): Promise<void> => {
        for await (const { event } of trainer.watch(key, abort.signal))
          if (event === 'step') abort.abort(new Error('looks away'));
      };
      await expect(looksAway()).rejects.toThrow('looks away');
      await until(trainer, key, ({ event }) => event === (hosted ? 'step' : 'checkpoint'));
      const watched = all(trainer, key);
      kill();
      const name = hosted ? 'FineTuneFailed' : 'TrainerExited';
      await expect(watched).rejects.toMatchObject({ name, retryable: true });
      const next = open(store).trainer;
      await next.submit(key, job);
      const started = await until(next, key, ({ event }) => event === 'started');
      expect(resumedFrom(started) > 0).toBe(!hosted);
      // A server goes on with it when the trainer is closed.
      await next.stop(key);
      await next.close();
    });

    it('throws the kind of a failure to each caller that watches, and tries again when asked', async () => {
      const { job, kind: failure } = await failing(store);
      await trainer.submit(key, job);
      await expect(all(trainer, key)).rejects.toMatchObject({ name: 'FineTuneFailed', kind: failure });
      await expect(all(trainer, key)).rejects.toMatchObject({ name: 'FineTuneFailed', kind: failure });
      await trainer.submit(key, await short(store));
      await all(trainer, key);
      expect(await findModel(store, key)).not.toBeNull();
    });

    it('refuses a job whose dataset is missing', async () => {
      const job = await short(store);
      const gone = { ...job, dataset: { ...job.dataset, uri: 'none/data.jsonl' } };
      await expect(trainer.submit(key, gone)).rejects.toMatchObject({ name: 'ArtifactMissing' });
    });

    it('stops its jobs when it is closed, and takes no more: nothing would end what a later one starts', async () => {
      const { trainer: closing } = open(store);
      const job = await long(store);
      await closing.submit(key, job);
      await until(closing, key, ({ event }) => event === 'step');
      const watched = failureOf(all(closing, key));
      await closing.close();
      expect(await watched).toMatchObject({ name: 'FineTuneStopped' });
      await expect(closing.submit(key, job)).rejects.toMatchObject({ name: 'EngineClosed' });
      await trainer.submit(key, job);
      await until(trainer, key, ({ event }) => event === 'started');
    });
  });
}

async function all(trainer: Trainer, key: string): Promise<JobProgress[]> {
  const events: JobProgress[] = [];
  // How long a job waits before it begins depends on where it runs.
  for await (const event of trainer.watch(key, never)) if (event.event !== 'waiting') events.push(event);
  return events;
}

/** Watches until there is an event as wanted, and returns it. The job goes on. */
async function until(
  trainer: Trainer,
  key: string,
  wanted: (event: JobProgress) => boolean,
): Promise<JobProgress> {
  for await (const event of trainer.watch(key, never)) if (wanted(event)) return event;
  return expect.fail('the job ended before that event');
}

function newKey(): string {
  keys += 1;
  return keys.toString(16).padStart(64, '0');
}

function stepsOf(events: readonly JobProgress[]): number[] {
  return events.flatMap((event) => (event.event === 'step' ? [event.step] : []));
}

/** The step that a job began at. */
function resumedFrom(event: JobProgress): number {
  if (event.event !== 'started') throw new Error(`${event.event} is not the beginning of a job`);
  return event.resumed_from_step;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error,
  );
}
