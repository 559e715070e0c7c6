import { z } from 'zod';
import { methodNames } from '../../algorithm/methods.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { storedConfigSchema } from '../../config/experiment.ts';
import type { StudyCell } from '../../config/study.ts';
import { isUnreadable, ArtifactMissing } from '../../store/errors.ts';
import { findDocument, readDocument } from '../../store/files/documents.ts';
import { experimentResultSchema } from '../../store/records/result.ts';
import { experimentFiles, type Store, studyFiles } from '../../store/store.ts';
import {
  type FinishedExperiment,
  type MeasuredExperiment,
  measureExperiment,
} from './measured-experiment.ts';
import type { Table } from '../tables/table.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** studies/NAME/study.json: the experiments of a study. */
const studyDocumentSchema = z.strictObject({
  formatVersion: z.literal(1),
  name: z.string(),
  cells: z.array(
    z.strictObject({
      name: experimentNameSchema,
      experiment: z.string(),
      method: z.enum(methodNames),
      /** Absent for a method's own row. */
      variant: z.string().exactOptional(),
      seed: z.number().int(),
    }),
  ),
});

/** No study of this name was started in this store. */
export class StudyNotFound extends ColloquyError {
  override name = 'StudyNotFound' as const;
  // The files may become visible later: several hosts can share a store.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    super(
      `There is no ${path}: no study of this name was started in this store (COLLOQUY_STORE). Start it with \`colloquy study\`.`,
    );
    this.path = path;
  }
}

/** An experiment of a study that is not in its report. */
export type MissingExperiment = Pick<StudyCell, 'name' | 'experiment' | 'method' | 'variant' | 'seed'> & {
  readonly reason: string;
};

/** Why an experiment of a study failed. */
export type Failure = { readonly name: string; readonly reason: string };

/** The experiments of a study, finished or not. @throws StudyNotFound, ArtifactDamaged */
export async function plannedExperiments(store: Store, study: string) {
  const files = studyFiles(store, study);
  const document = await readDocument(files.study, studyDocumentSchema);
  if (document === null) throw new StudyNotFound(files.study.where);
  return document.cells;
}

/**
 * The finished experiments of a study, as the store has them.
 *
 * @throws StudyNotFound, ArtifactDamaged
 */
export async function finishedExperiments(store: Store, study: string): Promise<FinishedExperiment[]> {
  const finished: FinishedExperiment[] = [];
  for (const planned of await plannedExperiments(store, study)) {
    const own = experimentFiles(store, planned.name);
    const config = await readDocument(own.config, storedConfigSchema);
    const result = await readDocument(own.result, experimentResultSchema);
    if (config !== null && result !== null) finished.push({ ...planned, config, result });
  }
  return finished;
}

/** The experiments of a study: those that could be measured, and the others with the reason. */
export type MeasuredStudy = {
  readonly name: string;
  readonly experiments: readonly MeasuredExperiment[];
  readonly missing: readonly MissingExperiment[];
};

/**
 * Measures the finished experiments of a study from their outcomes. An experiment is missing when study.json names it and it has not
 * finished, or when its outcomes cannot be read.
 *
 * @param failed why experiments failed, where that is known
 */
export async function measureStudy(
  store: Store,
  study: string,
  finished: readonly FinishedExperiment[],
  failed: readonly Failure[],
): Promise<MeasuredStudy> {
  const experiments: MeasuredExperiment[] = [];
  const missing: MissingExperiment[] = [];
  for (const each of finished) {
    try {
      experiments.push(await measureExperiment(store, each));
    } catch (error) {
      if (!(isUnreadable(error) || error instanceof ArtifactMissing)) throw error;
      const { config: _, result: __, ...planned } = each;
      missing.push({ ...planned, reason: error.message });
    }
  }
  const document = await findDocument(studyFiles(store, study).study, studyDocumentSchema);
  const found = new Set(finished.map(({ name }) => name));
  for (const planned of document?.cells ?? []) {
    if (found.has(planned.name)) continue;
    const reason = failed.find(({ name }) => name === planned.name)?.reason ?? 'not finished';
    missing.push({ ...planned, reason });
  }
  return { name: study, experiments, missing };
}

/** The names of the report's tables of accuracies: see src/report/tables/study-tables.ts. */
const tablesOfAccuracies = ['table-1', 'table-2', 'other-methods'];

const columnSchema = z.object({
  key: z.string(),
  title: z.string(),
  unit: z.string().nullable(),
  decimals: z.number(),
});
const figureSchema = z.object({
  kind: z.literal('figure'),
  value: z.number(),
  error: z.number().nullable(),
  interval: z.object({ low: z.number(), high: z.number() }).nullable().default(null),
  mark: z.string().nullable(),
  published: z.object({ value: z.number(), error: z.number().nullable(), agrees: z.boolean() }).nullable(),
});
const cellSchema = z.union([
  z.object({ kind: z.literal('name'), text: z.string() }),
  z.object({ kind: z.literal('absent') }),
  figureSchema,
]);
const tableSchema = z.object({
  caption: z.string(),
  columns: z.array(columnSchema),
  rows: z.array(z.array(cellSchema)),
  notes: z.array(z.string()).default([]),
});

/** The tables of accuracies among those that a study's report has written. One that is not in this store, or has another form, is left out. */
export async function accuracyTables(
  store: Store,
  study: string,
  names: readonly string[],
): Promise<Table[]> {
  // After the last iteration, where there are several.
  const wanted = tablesOfAccuracies.flatMap((each) => {
    const found = [`${each}-last`, each].find((name) => names.includes(name));
    return found === undefined ? [] : [found];
  });
  const tables = await Promise.all(wanted.map((name) => readTable(store, study, name)));
  return tables.filter((table) => table !== null);
}

async function readTable(store: Store, study: string, name: string): Promise<Table | null> {
  const place = studyFiles(store, study).table(name, 'json');
  const bytes = await store.blobs.get(place.name);
  if (bytes === null) return null;
  try {
    return { name, ...tableSchema.parse(JSON.parse(bytes.toString('utf8'))) };
  } catch {
    return null;
  }
}
