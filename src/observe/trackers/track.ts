/** How do an experiment's metrics reach trackers, each line once, and what is known of how far each tracker has come? */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { guardOf } from '../../config/guard.ts';
import type { TrackerName } from '../../config/names.ts';
import { ColloquyError, exitCodes, messageOf } from '../../errors.ts';
import { isThere, type Place, placeIn, writeBytes } from '../../store/blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../../store/errors.ts';
import {
  readDocument,
  requireDocument,
  writeDocument,
  writeDocumentOnce,
} from '../../store/files/documents.ts';
import { lineOf, readRows } from '../../store/files/rows.ts';
import { changesOf, configInForce } from '../../store/records/config-changes.ts';
import { distilledRecordSchema, type StepLoss, stepLossSchema } from '../../store/records/iteration.ts';
import { nightOutcomeSchema } from '../../store/records/result.ts';
import {
  diversitySchema,
  evaluationRecordSchema,
  iterationRecordSchema,
  labelsSchema,
} from '../../store/records/rows.ts';
import { begunIterations, type ExperimentFiles, type MeasuredSet, modelName } from '../../store/store.ts';
import type { FineTune } from '../events.ts';
import {
  type IterationRecords,
  type MetricsLine,
  metricsLines,
  type MetricsSource,
} from '../metrics-stream.ts';

/** What trackers get: the content of metrics.jsonl. */
export type Metrics = {
  readonly run: TrackedRun;
  readonly lines: readonly MetricsLine[];
  /** Whether the experiment has a result. */
  readonly finished: boolean;
};

/** The first line of metrics.jsonl: whose metrics they are. */
export type TrackedRun = {
  readonly v: 1;
  /** The experiment's name. */
  readonly run: string;
  /** By which trackers tell it from others of this name, e.g. one that was removed and begun afresh. */
  readonly id: string;
  /** ISO 8601: when its metrics were first written. */
  readonly begunAt: string;
  /** The study or the series that it belongs to; null where there is none. */
  readonly group: string | null;
  /** Its settings as it was begun. */
  readonly config: Readonly<Record<string, unknown>>;
};

/** A place that shows metrics. What it is asked for may be repeated: it never has a line twice. */
export type Tracker = {
  /** For people: where it shows the experiment. */
  readonly where: string;
  /** Whether lines are sent to it as they come, also while a model is trained; otherwise after steps of the experiment. */
  readonly takesLines: boolean;
  /**
   * Resolves when the tracker has all lines.
   *
   * @param had the lines that this process has sent before, by `lineId`
   * @throws TrackerFailed
   */
  send(metrics: Metrics, had: ReadonlySet<string>, signal: AbortSignal): Promise<void>;
};

/** A tracker does not take what it is sent. The experiment goes on all the same. */
export class TrackerFailed extends ColloquyError {
  override name = 'TrackerFailed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  /**
   * @param fault what happened, where; without a key
   * @param remedy what a person can do, as a sentence
   */
  constructor(tracker: TrackerName, fault: string, remedy: string) {
    super(`${tracker}: ${fault}. ${remedy}`);
  }
}

/** A name for a line with its content. */
export function lineId({ key, metrics }: MetricsLine): string {
  return `${key}#${shortHash(JSON.stringify(metrics))}`;
}

export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Settings as trackers list them: `fine_tune.learning_rate: 0.0002`. */
export function flatSettings(settings: object, above = ''): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]: [string, unknown]) => {
      const path = `${above}${key}`;
      if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string')
        return [[path, value] as const];
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return Object.entries(flatSettings(value, `${path}.`));
      return value === undefined || value === null ? [] : [[path, JSON.stringify(value)] as const];
    }),
  );
}

/**
 * Writes an experiment's metrics.jsonl as its records have them now.
 *
 * @throws ArtifactMissing when the experiment was not begun; ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function writeMetrics(files: ExperimentFiles): Promise<Metrics> {
  const lines = metricsLines(await readMetrics(files));
  const config = await requireDocument(files.config, storedConfigSchema);
  const made = { formatVersion: 1 as const, id: randomUUID().slice(0, 8), begunAt: new Date().toISOString() };
  const { id, begunAt } = await writeDocumentOnce(files.tracked('run.json'), made, trackedAsSchema);
  const { name } = files.folder;
  // Neither says anything about the experiment.
  const { report_to: _, trainer: __, ...settings } = config;
  const run: TrackedRun = { v: 1, run: name, id, begunAt, group: groupOf(name, config), config: settings };
  const text = [run, ...lines].map(lineOf).join('');
  const { blobs } = files.metrics;
  if ((await blobs.get(files.metrics.name))?.toString('utf8') !== text) await writeBytes(files.metrics, text);
  return { run, lines, finished: await isThere(files.result) };
}

const trackedAsSchema = z.strictObject({ formatVersion: z.literal(1), id: z.string(), begunAt: z.string() });

/** A study gives its experiments its name, and shared answers whose name begins with it. */
function groupOf(
  name: string,
  { carry_over: night, shared_answers: shared }: ExperimentConfig,
): string | null {
  const study = shared?.split('.')[0];
  if (study !== undefined && name.startsWith(`${study}-`)) return study;
  return night?.series ?? shared ?? null;
}

export type Tracked = {
  readonly tracker: TrackerName;
  readonly where: string;
  /** How many lines metrics.jsonl has. */
  readonly lines: number;
  /** Why the tracker does not have all of them; null when it does. */
  readonly problem: string | null;
};

/**
 * Sends an experiment's metrics to trackers, and notes in its folder how far each has come. A tracker that fails is an outcome, not an error.
 *
 * @param had by tracker, what this process has sent; it is added to
 * @throws as `writeMetrics`
 */
export async function track(
  files: ExperimentFiles,
  trackers: ReadonlyMap<TrackerName, Tracker>,
  signal: AbortSignal,
  had = new Map<TrackerName, Set<string>>(),
): Promise<Tracked[]> {
  const metrics = await writeMetrics(files);
  const sent = await Promise.all(
    [...trackers].map(async ([name, tracker]): Promise<Tracked> => {
      const own = had.get(name) ?? new Set();
      had.set(name, own);
      const problem = await tracker.send(metrics, own, signal).then(() => null, messageOf);
      if (problem === null) for (const line of metrics.lines) own.add(lineId(line));
      return { tracker: name, where: tracker.where, lines: metrics.lines.length, problem };
    }),
  );
  await note(files, sent);
  return sent;
}

const notesSchema = z.strictObject({
  formatVersion: z.literal(1),
  trackers: z.record(
    z.string(),
    z.strictObject({
      /** How many lines it had when it last had all. */
      lines: z.int(),
      /** Since when it lacks some, ISO 8601, and why. */
      behind: z.strictObject({ since: z.string(), problem: z.string() }).nullable(),
    }),
  ),
});

async function note(files: ExperimentFiles, sent: readonly Tracked[]): Promise<void> {
  const before = (await orNull(readDocument(files.tracked('sent.json'), notesSchema)))?.trackers ?? {};
  const trackers = { ...before };
  for (const { tracker, lines, problem } of sent) {
    const known = before[tracker] ?? { lines: 0, behind: null };
    const since = known.behind?.since ?? new Date().toISOString();
    trackers[tracker] =
      problem === null ? { lines, behind: null } : { lines: known.lines, behind: { since, problem } };
  }
  if (JSON.stringify(before) === JSON.stringify(trackers)) return;
  await writeDocument(files.tracked('sent.json'), { formatVersion: 1, trackers });
}

/** Which trackers lack some of an experiment's metrics, as sentences for people; none where this store does not have the experiment. */
export async function trackersBehind(files: ExperimentFiles): Promise<string[]> {
  const noted = await orNull(readDocument(files.tracked('sent.json'), notesSchema));
  return Object.entries(noted?.trackers ?? {}).flatMap(([tracker, { lines, behind }]) =>
    behind === null
      ? []
      : [
          `The tracker ${tracker} has been behind since ${behind.since.slice(0, 16).replace('T', ' ')} UTC (it has ${lines} lines of metrics.jsonl): ` +
            `${behind.problem}\n  To send it the rest:  colloquy track ${files.folder.name} --to ${tracker}`,
        ],
  );
}
/**
 * What an experiment's folder has for its metrics so far. What is damaged counts as missing: the step that needs it makes it again.
 *
 * @throws ArtifactMissing, ArtifactDamaged when its config is not whole
 */
async function readMetrics(files: ExperimentFiles): Promise<MetricsSource> {
  const config = await configInForce(files);
  const iterations: IterationRecords[] = [];
  for (const iteration of await begunIterations(files))
    iterations.push(await recordsOf(files, iteration, config));
  const result = await orNull(readDocument(files.result, nightSchema));
  return {
    iterations,
    guard: guardOf(config),
    changes: await changesOf(files),
    night: result?.night ?? null,
  };
}

const nightSchema = z.looseObject({ night: nightOutcomeSchema.optional() });

async function recordsOf(
  files: ExperimentFiles,
  iteration: number,
  { transfer }: ExperimentConfig,
): Promise<IterationRecords> {
  const record = await orNull(readDocument(files.record(iteration), iterationRecordSchema));
  const evaluation = async (set: MeasuredSet) =>
    orNull(readDocument(files.evaluation(iteration, set), evaluationRecordSchema));
  const others = new Map<string, NonNullable<IterationRecords['evaluation']>>();
  const transfers = Object.keys(transfer).map((name) => `transfer-${name}` as const);
  for (const set of ['vote', 'validation', 'distilled', ...transfers] as const) {
    const found = await evaluation(set);
    if (found !== null) others.set(set, found);
  }
  return {
    iteration,
    record,
    evaluation: await evaluation('heldout'),
    others,
    distilled: await orNull(readDocument(files.distilled(iteration), distilledRecordSchema)),
    diversity: await orNull(readDocument(files.diversity(iteration), diversitySchema)),
    labels: await orNull(readDocument(files.labels(iteration), labelsSchema)),
    trainingLogs: await trainingLogs(files, iteration),
  };
}

async function trainingLogs(files: ExperimentFiles, iteration: number): Promise<Map<string, StepLoss[]>> {
  const prefix = files.tracked(`losses-${iteration}-`).name;
  const logs = new Map<string, StepLoss[]>();
  for (const name of await files.folder.blobs.list(prefix)) {
    const model = /^([^/]*)\.jsonl$/.exec(name.slice(prefix.length))?.[1];
    const rows = model && (await orNull(readRows(placeIn(files.folder.blobs, name), stepLossSchema)));
    if (model && rows) logs.set(model, rows);
  }
  return logs;
}

/** The training log of a model. */
export function trackingLog(files: ExperimentFiles, { iteration, agent, role }: FineTune): Place {
  return files.tracked(`losses-${iteration}-${modelName(agent, role)}.jsonl`);
}

export async function orNull<Value>(read: Promise<Value | null>): Promise<Value | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ArtifactDamaged || error instanceof ArtifactMissing) return null;
    throw error;
  }
}
