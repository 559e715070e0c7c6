/** A fine-tune at a server, from the moment that its job is known until its end: what it reports, and what becomes of it. */
import { optimiserSteps } from '../../config/training-plan.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import type { StoredManifest } from '../../store/models.ts';
import { pause } from '../waiting.ts';
import { EngineAnswerInvalid } from '../errors.ts';
import { FineTuneFailed } from './errors.ts';
import type { FineTuningApi, HostedJob, HostedStep } from './openai-api.ts';
import { type FineTuneJob, jobId, type RunningJob } from './trainer.ts';

/** A job with its id at the server. */
export type HostedRun = {
  readonly key: string;
  readonly job: FineTuneJob;
  /** The rows as they were uploaded. */
  readonly lines: readonly string[];
  readonly hosted: HostedJob;
};

type Watching = RunningJob & {
  readonly api: FineTuningApi;
  /** Its name, for messages. */
  readonly trainer: string;
  /** How long the job may wait before it begins. */
  readonly queueHours: number;
};

/**
 * Reports a job until its end. The time between two looks grows while there is no news.
 *
 * @returns the manifest of the model
 * @throws FineTuneFailed, HostedJobCancelled, HostedJobNotBegun, or the errors of the API; the signal's reason
 */
export async function followJob(run: HostedRun, watching: Watching): Promise<StoredManifest> {
  const { key, job, hosted } = run;
  const { api, onEvent, signal } = watching;
  const totalSteps = optimiserSteps(job.dataset.rows, job.settings);
  const seen = new Set<string>();
  const steps: HostedStep[] = [];
  let state: string | null = null;
  let begun = false;
  for (let quiet = 0; ; quiet++) {
    const now = await api.job(hosted.id, signal);
    if (waits(now)) {
      if (now.status !== state) onEvent(waiting(now, watching));
      if (Date.now() > waiting(now, watching).until.getTime())
        throw new HostedJobNotBegun(now, run, watching);
    } else {
      const news = await api.newSteps(hosted.id, seen, signal);
      const ended = now.status === 'failed' || now.status === 'cancelled';
      if (!begun && !ended) {
        begun = true;
        const total = news[0]?.totalSteps ?? totalSteps;
        const rows = { rows: job.dataset.rows, dropped_rows: 0 };
        onEvent({ event: 'started', id: jobId(key), total_steps: total, resumed_from_step: 0, ...rows });
      }
      for (const { step, totalSteps: total, loss } of news) {
        const rest = { total_steps: total ?? totalSteps, learning_rate: null, tokens_per_second: null };
        onEvent({ event: 'step', step, loss, ...rest });
      }
      steps.push(...news);
      if (news.length > 0) quiet = 0;
    }
    if (now.status === 'succeeded') return manifestFor(run, now, steps, api.url);
    if (now.status === 'failed') throw failure(run, now, api.url);
    if (now.status === 'cancelled') throw new HostedJobCancelled(now, run, api.url);
    if (now.status !== state) quiet = 0;
    state = now.status;
    await pause(Math.min(10_000, 100 * 2 ** quiet), signal);
  }
}

export function isOver({ status }: HostedJob): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}

/** Azure writes `pending` and `notRunning`. */
const statesBefore: ReadonlySet<string> = new Set([
  'validating_files',
  'queued',
  'pending',
  'created',
  'notRunning',
]);

function waits({ status }: HostedJob): boolean {
  return statesBefore.has(status);
}

function waiting({ id, status, created_at: since }: HostedJob, { queueHours }: Watching) {
  const until = new Date(since * 1000 + queueHours * 3_600_000);
  return { event: 'waiting', job: id, state: status, since: new Date(since * 1000), until } as const;
}

/** @throws EngineAnswerInvalid when the server names no model */
function manifestFor(
  { key, job, hosted }: HostedRun,
  { id, fine_tuned_model: name, trained_tokens: tokens, finished_at: end, created_at: begin }: HostedJob,
  steps: readonly HostedStep[],
  url: string,
): StoredManifest {
  const { base, tuned } = job.init;
  if (!name)
    throw new EngineAnswerInvalid(
      `${url}/fine_tuning/jobs/${id}`,
      'the job succeeded and names no model',
      '',
    );
  const every = Math.max(1, Math.ceil(steps.length / 49));
  return {
    format_version: 1,
    base_model: { name_or_path: base.name, sha256: base.weights },
    form: 'hosted',
    init_model: tuned?.key ?? null,
    dataset: { sha256: job.dataset.sha256, rows: job.dataset.rows, dropped_rows: 0 },
    settings: job.settings,
    seed: job.seed,
    steps: steps.at(-1)?.step ?? optimiserSteps(job.dataset.rows, job.settings),
    final_loss: steps.at(-1)?.loss ?? null,
    losses: steps
      .filter((_, index) => index % every === 0 || index === steps.length - 1)
      .map(({ step, loss }) => ({ step, loss })),
    peak_learning_rate: null,
    moved: null,
    execution: null,
    tokens: tokens ?? 0,
    seconds: Math.max(0, (end ?? Math.floor(Date.now() / 1000)) - (hosted.created_at || begin)),
    files: {},
    versions: {},
    hosted: { name, job: id, url },
    key,
  };
}

/** Why the server gave up, with the row that it names. */
function failure({ key, lines }: HostedRun, { id, error }: HostedJob, url: string): FineTuneFailed {
  const { code, message, param } = { code: '', message: '', param: '', ...error };
  const said = `${message || 'no reason given'}${code ? ` (${code})` : ''}`;
  const [, row] = /\b(?:line|row|example)s?\s*#?\s*(\d+)/i.exec(message ?? '') ?? [];
  const line = row === undefined ? undefined : lines[Number(row) - 1];
  const quoted =
    line === undefined
      ? ''
      : `. Row ${row} of the dataset is ${line.length > 400 ? `${line.slice(0, 400)}…` : line}`;
  const kind = kindOf(code ?? '', param ?? '');
  return new FineTuneFailed(jobId(key), kind, `${url} ended the job ${id}: ${said}${quoted}`, remedies[kind]);
}

type HostedFailure = 'internal' | 'bad_data' | 'bad_settings';

/** Only trouble of the server itself may pass. Its other reasons would come again, and each job may cost money. */
function kindOf(code: string, param: string): HostedFailure {
  if (/server|internal|timeout|unavailable/i.test(code)) return 'internal';
  return /file|data|example|format/i.test(`${code} ${param}`) ? 'bad_data' : 'bad_settings';
}

const remedies: Readonly<Record<HostedFailure, string>> = {
  internal: 'The next attempt begins another job.',
  bad_data: 'The dataset cannot be used there as it is.',
  bad_settings:
    'Remove the cause at the server, or correct the settings under fine_tune; then let the step try again, which begins another job.',
};

/** Somebody cancelled a job at its server. */
export class HostedJobCancelled extends ColloquyError {
  override name = 'HostedJobCancelled' as const;
  // Its owner did not want it. Another job would cost money again.
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Its id at the server. */
  readonly job: string;

  constructor({ id }: HostedJob, { key }: HostedRun, url: string) {
    super(
      `The fine-tune ${jobId(key)} was cancelled at ${url} (job ${id}), and not by this experiment. ` +
        `To train the model after all, let the step try again: that begins another job.`,
    );
    this.job = id;
  }
}

/** A job waited too long at its server before it began. It was cancelled, so that it does not begin later. */
export class HostedJobNotBegun extends ColloquyError {
  override name = 'HostedJobNotBegun' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly job: string;

  constructor(
    { id, status, created_at: since }: HostedJob,
    { key }: HostedRun,
    { api, trainer, queueHours }: Watching,
  ) {
    super(
      `The fine-tune ${jobId(key)} has been ${status} at ${api.url} since ${new Date(since * 1000).toISOString()} (job ${id}) and has not begun within ` +
        `${queueHours} hours, which is the limit of the trainer ${trainer} (queue_hours in trainers.yaml). The job was cancelled. ` +
        `When the server has room again, let the step try again: that begins another job.`,
    );
    this.job = id;
  }
}
