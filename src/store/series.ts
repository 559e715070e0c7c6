/** What does a night of a series read and leave? Its plan, in its own folder, and its entry in the series' ledger. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { HeldOutQuestion } from '../algorithm/answer.ts';
import { isThere, type Place } from './blobs.ts';
import { ArtifactDamaged, ArtifactMissing, NotVisibleYet, SeriesDamaged } from './errors.ts';
import { readDocument } from './files/documents.ts';
import { readRows, writeRows } from './files/rows.ts';
import { sealAsItIs } from './files/sealed.ts';
import type { Agent } from '../algorithm/agents.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import { InvalidConfig } from '../config/faults.ts';
import type { ModelForm } from '../config/fine-tune.ts';
import { configDifference, fixedSettings } from '../config/resolve.ts';
import { type BaseModel, contentAddress, type Model, tunedModel, untuned } from './models.ts';
import { evaluationSchema } from './records/iteration.ts';
import { nightOutcomeSchema } from './records/result.ts';
import { heldOutQuestionSchema } from './records/rows.ts';
import { seriesFiles, type Store } from './store.ts';

/** A model's content address; null is the base model of the series. */
const keySchema = contentAddress.nullable();

/** The agents that a night passes to the next night. */
export const agentModelsSchema = z.array(
  z.strictObject({ number: z.number().int(), models: z.record(z.string(), keySchema) }),
);
export type AgentModels = z.infer<typeof agentModelsSchema>;

/** The agents' models by their content addresses. */
export function modelsOf(agents: readonly Agent<Model>[]): AgentModels {
  const keyOf = ({ tuned }: Model) => tuned?.key ?? null;
  return agents.map(({ number, models }) => ({ number, models: mapValues(models, keyOf) }));
}

/** The questions that nights have asked: see Asked in src/questions. */
const askedSchema = z
  .array(
    z.strictObject({ cycle: z.number().int(), keys: z.array(z.string().regex(/^[0-9a-f]{16}$/)).readonly() }),
  )
  .readonly();

/** The agents with which a night begins. */
const startSchema = z.strictObject({
  /** The night that left these agents; null for the base model. */
  night: z.string().nullable(),
  agents: agentModelsSchema,
  /** The experiment and the iteration that evaluated these agents; null when they have not been evaluated. */
  evaluated: z.strictObject({ experiment: z.string(), iteration: z.number().int() }).nullable(),
});
export type NightStart = z.infer<typeof startSchema>;

/** NIGHT/night/plan.json: made when the night begins. It stays the same when the night is started again. */
export const nightPlanSchema = z.strictObject({
  formatVersion: z.literal(1),
  series: z.string(),
  /** The hash of the resolved config for which it was made. */
  configSha256: z.string(),
  /** The number of the last accepted night when this one was planned; 0 for none. */
  head: z.number().int(),
  start: startSchema,
  /** The number of its first training question in the series. */
  position: z.number().int(),
  asked: askedSchema,
});
export type NightPlan = z.infer<typeof nightPlanSchema>;

/** series/SERIES/night-NNNNN/night.json: a finished night. It never changes. */
export const nightEntrySchema = nightOutcomeSchema.extend({
  formatVersion: z.literal(1),
  /** The night's name. */
  experiment: z.string(),
  /** First the evaluation of the agents with which it began, then one after each iteration. */
  evaluations: z.array(evaluationSchema).min(1),
  maxDrop: z.number(),
  /** The agents that it made, also when the night is rejected. */
  made: agentModelsSchema,
  /** The start of the next night; null when this night does not count, because another one finished first. */
  next: startSchema.nullable(),
  asked: askedSchema,
  /** The number of the next night's first training question. */
  position: z.number().int(),
  /** The settings that no night of the series may change: see `fixedSettings`. */
  fixed: z.record(z.string(), z.unknown()),
  /** The hash of the held-out questions, which are the same for all nights of the series: see `heldOutHash`. */
  heldOut: z.string().optional(),
  /** ISO 8601 */
  finishedAt: z.string(),
});
export type NightEntry = z.infer<typeof nightEntrySchema>;

/**
 * The finished nights of a series, in the order in which they were finished; none when the series does not exist. The ledger has a
 * folder for each night, numbered without gaps, which never changes. The entry in it is written last and commits the night.
 *
 * @throws SeriesDamaged when an entry is damaged or missing
 */
export async function readLedger(store: Store, series: string): Promise<NightEntry[]> {
  const files = seriesFiles(store, series);
  const names = await store.blobs.list(`${files.folder.name}/night-`);
  // A committed night has an entry, or the seal of an entry that is lost.
  const committed = names.flatMap(
    (name) => /\/night-(\d+)\/night\.json(?:\.ref\.json)?$/.exec(name)?.[1] ?? [],
  );
  const newest = Math.max(0, ...committed.map(Number));
  const entries: NightEntry[] = [];
  for (let sequence = 1; ; sequence++) {
    const place = files.entry(sequence);
    const entry = await orSeriesDamaged(place, () => readDocument(place, nightEntrySchema));
    // The list may not show another host's night yet, so one more name is read.
    if (entry === null && sequence > newest) return entries;
    if (entry === null) throw new SeriesDamaged(place.where, 'is missing');
    if (entry.sequence !== sequence || entry.series !== series)
      throw new SeriesDamaged(place.where, `is night ${entry.sequence} of ${entry.series}`);
    entries.push(entry);
  }
}

/** The held-out questions of a series that has a night. @throws SeriesDamaged */
export async function heldOutOf(store: Store, series: string): Promise<HeldOutQuestion[]> {
  const files = seriesFiles(store, series);
  const first = await orSeriesDamaged(files.entry(1), () => readDocument(files.entry(1), nightEntrySchema));
  const place = files.heldOut(first?.heldOut);
  return orSeriesDamaged(place, () => readRows(place, heldOutQuestionSchema));
}

/**
 * Adds a night. Of several writers of the same number, on any hosts, one gets true; the others get false and change nothing.
 *
 * @throws DiskFull, StoreNotWritable; NotVisibleYet when another host's night of this number cannot be read here yet
 */
export async function addToLedger(
  store: Store,
  entry: NightEntry,
  heldOut: readonly HeldOutQuestion[],
): Promise<boolean> {
  const files = seriesFiles(store, entry.series);
  const place = files.entry(entry.sequence);
  // First nights that finish at the same time may have different questions, so their files have different names.
  if (entry.sequence === 1) await writeRows(files.heldOut(entry.heldOut), heldOut);
  const bytes = Buffer.from(`${JSON.stringify(entry, null, 2)}\n`);
  if ((await store.blobs.putOnce(place.name, bytes)) === 'other') {
    if (!(await isThere(place))) throw new NotVisibleYet(place.where);
    return false;
  }
  await sealAsItIs(place);
  return true;
}

/** A name for held-out questions that depends on their content. */
export function heldOutHash(heldOut: readonly HeldOutQuestion[]): string {
  return createHash('sha256').update(JSON.stringify(heldOut)).digest('hex').slice(0, 16);
}

async function orSeriesDamaged<Value>({ where }: Place, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ArtifactDamaged)
      throw new SeriesDamaged(where, `is damaged (expected ${error.expected}, found ${error.found})`);
    if (error instanceof ArtifactMissing) throw new SeriesDamaged(where, 'is missing');
    throw error;
  }
}

/**
 * The agents whose models have these content addresses.
 *
 * @param bases what their models were trained from, by agent
 */
export function agentsOf(bases: readonly BaseModel[], models: AgentModels, form: ModelForm): Agent<Model>[] {
  return models.map(({ number, models: keys }) => {
    const base = bases[number - 1];
    if (base === undefined) throw new RangeError(`Agent ${number} has no base model.`);
    return {
      number,
      models: mapValues(keys, (key) => (key === null ? untuned(base) : tunedModel(base, key, form))),
    };
  });
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/**
 * No night may have other settings than the first one of its series, apart from those that nights may change.
 *
 * @param instead what to rename for a night with these settings, in the error's words
 * @throws InvalidConfig
 */
export function requireFixedSettings(
  [first]: readonly NightEntry[],
  config: ExperimentConfig,
  series: string,
  instead: 'series' | 'name',
): void {
  const differences = first === undefined ? [] : configDifference(first.fixed, fixedSettings(config));
  if (differences.length === 0) return;
  throw new InvalidConfig(
    differences.map(({ path, before, after }) => ({
      path,
      message: `the series ${series} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}, and no night may change that; take another ${instead}`,
    })),
  );
}
