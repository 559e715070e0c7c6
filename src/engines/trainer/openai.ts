/**
 * The kind `openai`: a server fine-tunes and keeps the model, by OpenAI's fine-tuning API, as the paper did with GPT-3.5. A model is then a
 * name at that server.
 *
 * No request has a key of our own by which the server would know it again. So the file's name and the job's metadata have the job's content address,
 * and both are looked for before they are made: also a lost answer never leads to a second job.
 */
import { z } from 'zod';
import { chatRow } from '../../algorithm/dataset.ts';
import { type HostedTrainerConfig, hostedSettings, trainerAbilities } from '../../config/trainers.ts';
import { emit } from '../../observe/events.ts';
import { readDocument, writeDocument } from '../../store/files/documents.ts';
import { claim } from '../../store/files/take-over.ts';
import { readRows } from '../../store/files/rows.ts';
import { hostedName, manifestOf, type StoredManifest } from '../../store/models.ts';
import { exampleSchema } from '../../store/records/rows.ts';
import type { Store } from '../../store/store.ts';
import { pause } from '../waiting.ts';
import { EngineRefused, TrainingImpossible } from '../errors.ts';
import { FineTuneFailed } from './errors.ts';
import { followJob, HostedJobCancelled, HostedJobNotBegun, type HostedRun, isOver } from './hosted-job.ts';
import {
  createFineTuningApi,
  delayAfter,
  type HostedJob,
  mayAnswerLater,
  type ServerFile,
} from './openai-api.ts';
import { createJobs, type FineTuneJob, jobId, type RunningJob, type Trainer } from './trainer.ts';

/** The jobs of a model that are over, as far as somebody here knows it: stopped ones, and those whose failure was reported. */
const endedSchema = z.object({ ended: z.array(z.string()) });

/** @param trainer its name, for messages */
export function createHostedTrainer(trainer: string, config: HostedTrainerConfig, store: Store): Trainer {
  const api = createFineTuningApi(config);
  /** Requests after a job was stopped: they end with the trainer. */
  const closing = new AbortController();

  const jobs = createJobs(store, (key, job, running) => {
    const accepted = accept(key, job, running.signal);
    return { accepted, done: accepted.then((run) => carryOut(run, running)) };
  });

  /** Finds the job of this model at the server, or makes it. */
  async function accept(key: string, job: FineTuneJob, signal: AbortSignal): Promise<HostedRun> {
    const rows = await readRows(store.place(job.dataset.uri), exampleSchema);
    const examples = rows.filter(isPlainChat);
    if (examples.length < rows.length)
      throw new FineTuneFailed(
        jobId(key),
        'bad_settings',
        'its rows have pairs of answers, labels, weights or variables of a chat template',
      );
    const lines = examples.map((row) => JSON.stringify(chatRow(row)));
    const { tuned, base } = job.init;
    const model = tuned === null ? base.name : await hostedName(store, tuned.key);
    const own = await claim(store.hostedJobs(key));
    const name = fileName(key);
    for (let tries = 0; ; tries++) {
      const files = await api.files(name, signal);
      const known = await jobOf(key, files, signal);
      if (known !== null) {
        await own.finish();
        return { key, job, lines, hosted: known };
      }
      try {
        const file = usable(files, lines) ?? (await api.upload(name, textOf(lines), closing.signal));
        await fileIsRead(file, key, signal);
        signal.throwIfAborted();
        await own.require();
        const request = {
          model,
          trainingFile: file.id,
          // OpenAI takes 31 bits.
          seed: job.seed >>> 1,
          settings: hostedSettings(job.settings, config),
          suffix: `colloquy-${key.slice(0, 9)}`,
          metadata: { colloquy_model: key },
        };
        const hosted = await api.createJob(request, closing.signal);
        await own.finish();
        return { key, job, lines, hosted };
      } catch (error) {
        // Perhaps only the answer was lost: what was made is found at the next turn.
        if (!mayAnswerLater(error) || tries === 6) throw error;
        await pause(delayAfter(tries, error), signal);
      }
    }
  }

  /** The job that the server has for this model: a finished one, one under way, or one that ended and whose end nobody here knows. */
  async function jobOf(
    key: string,
    files: readonly ServerFile[],
    signal: AbortSignal,
  ): Promise<HostedJob | null> {
    const fileIds = new Set(files.map(({ id }) => id));
    // Some servers keep no metadata. The name of the file has the same content address.
    const own = (await api.jobs(signal))
      .filter(
        ({ metadata, training_file: file }) =>
          metadata?.['colloquy_model'] === key || fileIds.has(file ?? ''),
      )
      .toSorted((a, b) => b.created_at - a.created_at);
    const { ended } = (await readDocument(store.hostedJobs(key), endedSchema)) ?? { ended: [] };
    return (
      own.find(({ status }) => status === 'succeeded') ??
      own.find((each) => !isOver(each)) ??
      own.find(({ id }) => !ended.includes(id)) ??
      null
    );
  }

  /** Azure reads a file before a job may use it. */
  async function fileIsRead(file: ServerFile, key: string, signal: AbortSignal): Promise<void> {
    let now = file;
    for (let tries = 0; now.status === 'pending' || now.status === 'running'; tries++) {
      await pause(delayAfter(tries), signal);
      now = await api.file(file.id, signal);
    }
    if (now.status === 'error')
      throw new FineTuneFailed(
        jobId(key),
        'bad_data',
        `${api.url} could not read the file: ${now.status_details ?? 'no reason given'}`,
      );
  }

  async function carryOut(run: HostedRun, { signal, onEvent }: RunningJob): Promise<void> {
    const queueHours = config.queue_hours ?? 24;
    let manifest: StoredManifest;
    try {
      manifest = await followJob(run, { api, trainer, queueHours, signal, onEvent });
    } catch (error) {
      // When the worker ends, or the server gives no answer, the job goes on, and the next attempt finds it.
      if (!closing.signal.aborted && (signal.aborted || isEnd(error))) await endOf(run);
      throw signal.aborted ? signal.reason : error;
    }
    await writeDocument(manifestOf(store.model(run.key)), manifest);
    await removeFiles(run);
  }

  /** Cancels a job unless it is over, and notes that its end is known. */
  async function endOf({ key, hosted: { id } }: HostedRun): Promise<HostedJob> {
    const place = store.hostedJobs(key);
    const { ended } = (await readDocument(place, endedSchema)) ?? { ended: [] };
    await writeDocument(place, { ended: [...new Set([...ended, id])] });
    for (let tries = 0; ; tries++) {
      const now = await api.job(id, closing.signal);
      if (isOver(now)) return now;
      // One that has just ended refuses this, and is seen to be over at the next turn.
      if (tries % 8 === 0) await api.cancelJob(id, closing.signal).catch(unlessRefused);
      await pause(Math.min(5_000, delayAfter(tries) / 5), closing.signal);
    }
  }

  /** The store has the rows. A file that stays at the server all the same is no fault of the fine-tune. */
  async function removeFiles({ key }: HostedRun): Promise<void> {
    try {
      for (const { id } of await api.files(fileName(key), closing.signal))
        await api.removeFile(id, closing.signal);
    } catch (error) {
      emit('file left at a server', { url: api.url, file: fileName(key), reason: String(error) });
    }
  }

  return {
    ...trainerAbilities(trainer, config),
    ...jobs,
    outlivesWorker: true,
    async check(_base, _check, signal) {
      try {
        await api.reach(signal);
      } catch (error) {
        if (error instanceof EngineRefused && (error.status === 404 || error.status === 405))
          throw new TrainingImpossible(`${api.url} has no fine-tuning API (${error.words})`);
        throw error;
      }
    },
    async close() {
      closing.abort(new Error('The trainer was closed.'));
      await jobs.close();
      api.close();
    },
  };
}

type Row = z.infer<typeof exampleSchema>;

/** Whether a row is an answer to imitate: the protocol has nothing else that a row may say. */
function isPlainChat(row: Row): row is Extract<Row, { readonly completion: unknown }> {
  return (
    'completion' in row &&
    !('label' in row) &&
    row.weight === undefined &&
    row.chat_template_kwargs === undefined
  );
}

/** An uploaded file that is whole. */
function usable(files: readonly ServerFile[], lines: readonly string[]): ServerFile | undefined {
  const bytes = Buffer.byteLength(textOf(lines));
  return files.find((file) => (file.bytes ?? bytes) === bytes && file.status !== 'error');
}

/** The same for each attempt, and for no other model. */
function fileName(key: string): string {
  return `colloquy-${key}.jsonl`;
}

/** Whether the job is over, or is not wanted any more. */
function isEnd(error: unknown): boolean {
  return (
    error instanceof FineTuneFailed ||
    error instanceof HostedJobCancelled ||
    error instanceof HostedJobNotBegun
  );
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof EngineRefused) && !mayAnswerLater(error)) throw error;
}
