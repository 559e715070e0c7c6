/** The documents of a night: its plan, in its own folder, and its entry in the series' ledger. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { HeldOutQuestion } from '../algorithm/question.ts';
import { ArtifactDamaged, ArtifactMissing, SeriesDamaged } from './errors.ts';
import { publishFolder } from './files/atomic.ts';
import { readDocument, writeDocument } from './files/documents.ts';
import { readRows, writeRows } from './files/rows.ts';
import { agentModelsSchema } from './models.ts';
import { evaluationSchema, nightOutcomeSchema } from './records/result.ts';
import { heldOutQuestionSchema } from './records/rows.ts';
import type { Store } from './store.ts';

/** See Asked in src/tasks/fresh-questions.ts. */
const askedSchema = z
  .array(
    z.strictObject({ cycle: z.number().int(), keys: z.array(z.string().regex(/^[0-9a-f]{16}$/)).readonly() }),
  )
  .readonly();

/** What a night begins with. */
const startSchema = z.strictObject({
  /** The night that left these agents; null for the base model. */
  night: z.string().nullable(),
  agents: agentModelsSchema,
  /** Whose held-out debates of which iteration were these agents'; null when they have not been evaluated. */
  evaluated: z.strictObject({ experiment: z.string(), iteration: z.number().int() }).nullable(),
});
export type NightStart = z.infer<typeof startSchema>;

/** NIGHT/night/plan.json: settled when the night begins, and the same however often it is started again. */
export const nightPlanSchema = z.strictObject({
  formatVersion: z.literal(1),
  series: z.string(),
  /** Of the resolved config that it was made for. */
  configSha256: z.string(),
  /** The ledger's last night that counts, when this one was planned; 0 for none. */
  head: z.number().int(),
  start: startSchema,
  /** The number of its first training question in the series. */
  position: z.number().int(),
  asked: askedSchema,
});
export type NightPlan = z.infer<typeof nightPlanSchema>;

/** series/SERIES/night-NNNNN/night.json: a finished night, as the ledger has it for good. */
export const nightEntrySchema = nightOutcomeSchema.extend({
  formatVersion: z.literal(1),
  /** Its name. */
  experiment: z.string(),
  /** First of the agents that it began with, then after each iteration. */
  evaluations: z.array(evaluationSchema).min(1),
  maxDrop: z.number(),
  /** The agents that it has made, carried on or not. */
  made: agentModelsSchema,
  /** What the next night begins with; null when this night does not count, because another one was first. */
  next: startSchema.nullable(),
  asked: askedSchema,
  /** The number of the next night's first training question. */
  position: z.number().int(),
  /** The settings that no night of the series may change. */
  fixed: z.record(z.string(), z.unknown()),
  /** ISO 8601 */
  finishedAt: z.string(),
});
export type NightEntry = z.infer<typeof nightEntrySchema>;

/**
 * A series' ledger: a folder for each finished night, numbered without gaps and never changed. A folder is published by one rename,
 * which only one of several writers can win, so a night is in the ledger whole or not at all.
 */
/** Where a series keeps what, as absolute paths. */
export function seriesFiles(store: Store, series: string) {
  const folder = store.series(series);
  const night = (sequence: number) => join(folder, `night-${String(sequence).padStart(5, '0')}`);
  return {
    folder,
    night,
    entry: (sequence: number) => join(night(sequence), 'night.json'),
    /** The questions that all nights measure with: those of the first one. */
    heldOut: join(night(1), 'heldout.jsonl'),
    report: join(folder, 'report.html'),
  };
}

/**
 * The finished nights of a series, in the order in which they were finished; none when there is no such series.
 *
 * @throws SeriesDamaged when one is damaged or missing
 */
export async function readLedger(store: Store, series: string): Promise<NightEntry[]> {
  const files = seriesFiles(store, series);
  const names = await readdir(files.folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const nights = Math.max(0, ...names.map((name) => Number(/^night-(\d+)$/.exec(name)?.[1] ?? 0)));
  const entries: NightEntry[] = [];
  for (let sequence = 1; sequence <= nights; sequence++) {
    const path = files.entry(sequence);
    const entry = await orSeriesDamaged(path, () => readDocument(path, nightEntrySchema));
    if (entry === null) throw new SeriesDamaged(path, 'is missing');
    if (entry.sequence !== sequence || entry.series !== series)
      throw new SeriesDamaged(path, `is night ${entry.sequence} of ${entry.series}`);
    entries.push(entry);
  }
  return entries;
}

/** The held-out questions of a series that has a night. @throws SeriesDamaged */
export async function heldOutOf(store: Store, series: string): Promise<HeldOutQuestion[]> {
  const path = seriesFiles(store, series).heldOut;
  return orSeriesDamaged(path, () => readRows(path, heldOutQuestionSchema));
}

/**
 * Adds a night. False, and nothing has changed, when there is another one of that number by now.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function addToLedger(
  store: Store,
  entry: NightEntry,
  heldOut: readonly HeldOutQuestion[],
): Promise<boolean> {
  return publishFolder(seriesFiles(store, entry.series).night(entry.sequence), async (folder) => {
    if (entry.sequence === 1) await writeRows(join(folder, 'heldout.jsonl'), heldOut);
    await writeDocument(join(folder, 'night.json'), entry);
  });
}

async function orSeriesDamaged<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ArtifactDamaged)
      throw new SeriesDamaged(path, `is damaged (expected ${error.expected}, found ${error.found})`);
    if (error instanceof ArtifactMissing) throw new SeriesDamaged(path, 'is missing');
    throw error;
  }
}
