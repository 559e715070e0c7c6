/** How do an experiment's metrics reach trackers, each line once, and what is known of how far each tracker has come? */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { guardOf } from '../../config/limits.ts';
import type { TrackerName } from '../../config/names.ts';
import { messageOf } from '../../errors.ts';
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
import { type IterationRecords, metricsLines, type MetricsSource } from '../metrics-stream.ts';
import { lineId, type Metrics, type TrackedRun, type Tracker } from './tracker.ts';

/** What a process has read and sent of an experiment that it follows. It is added to. */
export type Known = {
  /** By tracker, the lines that it was sent. */
  readonly had: Map<TrackerName, Set<string>>;
  /** By iteration, its records, and the names of the files of which they are. */
  readonly iterations: Map<number, { readonly names: string; readonly records: IterationRecords }>;
  /** The content of metrics.jsonl. */
  text: string | undefined;
};

export function nothingKnown(): Known {
  return { had: new Map(), iterations: new Map(), text: undefined };
}

/**
 * Writes an experiment's metrics.jsonl as its records have them now. Only what is new is read.
 *
 * @throws ArtifactMissing when the experiment was not begun; ArtifactDamaged, DiskFull, StoreNotWritable
 */
export async function writeMetrics(files: ExperimentFiles, known = nothingKnown()): Promise<Metrics> {
  const lines = metricsLines(await readMetrics(files, known.iterations));
  const config = await requireDocument(files.config, storedConfigSchema);
  const made = { formatVersion: 1 as const, id: randomUUID().slice(0, 8), begunAt: new Date().toISOString() };
  const { id, begunAt } = await writeDocumentOnce(files.tracked.run, made, trackedAsSchema);
  const { name } = files.folder;
  // Neither says anything about the experiment.
  const { report_to: _, trainer: __, ...settings } = config;
  const run: TrackedRun = { v: 1, run: name, id, begunAt, group: groupOf(name, config), config: settings };
  const text = [run, ...lines].map(lineOf).join('');
  const { blobs } = files.metrics;
  known.text ??= (await blobs.get(files.metrics.name))?.toString('utf8');
  if (known.text !== text) await writeBytes(files.metrics, text);
  known.text = text;
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
 * @throws as `writeMetrics`
 */
export async function track(
  files: ExperimentFiles,
  trackers: ReadonlyMap<TrackerName, Tracker>,
  signal: AbortSignal,
  known = nothingKnown(),
): Promise<Tracked[]> {
  const metrics = await writeMetrics(files, known);
  const sent = await Promise.all(
    [...trackers].map(async ([name, tracker]): Promise<Tracked> => {
      const own = known.had.get(name) ?? new Set();
      known.had.set(name, own);
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
  const before = (await orNull(readDocument(files.tracked.sent, notesSchema)))?.trackers ?? {};
  const trackers = { ...before };
  for (const { tracker, lines, problem } of sent) {
    const known = before[tracker] ?? { lines: 0, behind: null };
    const since = known.behind?.since ?? new Date().toISOString();
    trackers[tracker] =
      problem === null ? { lines, behind: null } : { lines: known.lines, behind: { since, problem } };
  }
  if (JSON.stringify(before) === JSON.stringify(trackers)) return;
  await writeDocument(files.tracked.sent, { formatVersion: 1, trackers });
}

/** Which trackers lack some of an experiment's metrics, as sentences for people; none where this store does not have the experiment. */
export async function trackersBehind(files: ExperimentFiles): Promise<string[]> {
  const noted = await orNull(readDocument(files.tracked.sent, notesSchema));
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
async function readMetrics(files: ExperimentFiles, known: Known['iterations']): Promise<MetricsSource> {
  const config = await configInForce(files);
  const listed = await files.folder.blobs.list(`${files.folder.name}/`);
  const iterations: IterationRecords[] = [];
  for (const iteration of await begunIterations(files, listed)) {
    const names = ownNames(files, iteration, listed);
    const before = known.get(iteration);
    const records =
      before?.names === names.join(' ') && logsAreWhole(before.records)
        ? before.records
        : await recordsOf(files, iteration, names, config);
    known.set(iteration, { names: names.join(' '), records });
    iterations.push(records);
  }
  const result = await orNull(readDocument(files.result, nightSchema));
  return {
    iterations,
    guard: guardOf(config),
    changes: await changesOf(files),
    night: result?.night ?? null,
  };
}

const nightSchema = z.looseObject({ night: nightOutcomeSchema.optional() });

/** An iteration's documents and training logs, without its debates. A document is written once: one that is made again was set aside before. */
function ownNames(files: ExperimentFiles, iteration: number, listed: readonly string[]): string[] {
  const folder = `${files.iteration(iteration).name}/`;
  const [logs = ''] = files.tracked.losses(iteration, '*').name.split('*');
  return listed.filter(
    (name) => (name.startsWith(folder) && !name.slice(folder.length).includes('/')) || name.startsWith(logs),
  );
}

/** A training log grows until the record of its fine-tune is there. */
function logsAreWhole({ record, distilled, trainingLogs }: IterationRecords): boolean {
  const recorded = [...(record?.fineTunes ?? []), ...(distilled === null ? [] : [distilled.fineTune])];
  const models = new Set(recorded.map(({ agent, role }) => modelName(agent, role)));
  return [...trainingLogs.keys()].every((model) => models.has(model));
}

async function recordsOf(
  files: ExperimentFiles,
  iteration: number,
  names: readonly string[],
  { transfer }: ExperimentConfig,
): Promise<IterationRecords> {
  const read = async <Value>(place: Place, schema: z.ZodType<Value>): Promise<Value | null> =>
    names.includes(place.name) ? orNull(readDocument(place, schema)) : null;
  const evaluation = (set: MeasuredSet) => read(files.evaluation(iteration, set), evaluationRecordSchema);
  const others = new Map<string, NonNullable<IterationRecords['evaluation']>>();
  const transfers = Object.keys(transfer).map((name) => `transfer-${name}` as const);
  for (const set of ['vote', 'validation', 'distilled', ...transfers] as const) {
    const found = await evaluation(set);
    if (found !== null) others.set(set, found);
  }
  return {
    iteration,
    record: await read(files.record(iteration), iterationRecordSchema),
    evaluation: await evaluation('heldout'),
    others,
    distilled: await read(files.distilled(iteration), distilledRecordSchema),
    diversity: await read(files.diversity(iteration), diversitySchema),
    labels: await read(files.labels(iteration), labelsSchema),
    trainingLogs: await trainingLogs(files, iteration, names),
  };
}

async function trainingLogs(
  files: ExperimentFiles,
  iteration: number,
  names: readonly string[],
): Promise<Map<string, StepLoss[]>> {
  const [before = '', ending = ''] = files.tracked.losses(iteration, '*').name.split('*');
  const logs = new Map<string, StepLoss[]>();
  for (const name of names.filter((each) => each.startsWith(before) && each.endsWith(ending))) {
    const rows = await orNull(readRows(placeIn(files.folder.blobs, name), stepLossSchema));
    if (rows !== null) logs.set(name.slice(before.length, -ending.length), rows);
  }
  return logs;
}

/** The training log of a model. */
export function trackingLog(files: ExperimentFiles, { iteration, agent, role }: FineTune): Place {
  return files.tracked.losses(iteration, modelName(agent, role));
}

export async function orNull<Value>(read: Promise<Value | null>): Promise<Value | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ArtifactDamaged || error instanceof ArtifactMissing) return null;
    throw error;
  }
}
