import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidConfig } from '../../config/faults.ts';
import { studyNameSchema } from '../../config/names.ts';
import { type Limits, usedUp, type UsedSoFar } from '../../algorithm/steering.ts';
import { resolveStudy, type Study, type StudyCell } from '../../config/study.ts';
import { writeStudyReport } from '../../report/write.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { differenceFromBegun } from '../../store/records/config-changes.ts';
import { findFinished, usedTogether } from '../../store/records/result.ts';
import { experimentFiles, type Store, studyFiles } from '../../store/store.ts';
import type { Dependencies, Running } from '../activity.ts';

/** What the workflow needs to know of a study before it starts anything. */
export type StudyPlan = {
  readonly cells: number;
  readonly parallel: number;
  /** Only with a `total_budget`: what the experiments may use together, and what they have used before this. */
  readonly budget?: { readonly limits: Limits; readonly used: UsedSoFar };
};

/** One experiment of a study, and whether this store has finished it. */
export type PlannedCell = Pick<StudyCell, 'name' | 'experiment' | 'method' | 'variant' | 'seed' | 'input'> & {
  readonly finished: boolean;
};

/** The newest studies, by name and input: each page of cells is asked for by itself, and a study may have thousands of cells. */
const resolvedStudies = new Map<string, Study>();
const mostResolved = 4;

/** @throws InvalidConfig */
function resolvedOnce(name: string, input: unknown): Study {
  const key = JSON.stringify([name, input]);
  const study = resolvedStudies.get(key) ?? resolveStudy(name, input);
  resolvedStudies.delete(key);
  resolvedStudies.set(key, study);
  for (const oldest of resolvedStudies.keys()) {
    if (resolvedStudies.size <= mostResolved) break;
    resolvedStudies.delete(oldest);
  }
  return study;
}

type StudyRequest = { readonly study: string; readonly input: unknown };

/**
 * Resolves and validates a study and all its experiments, refuses what the store has begun otherwise, and writes study.json.
 *
 * @throws InvalidConfig with every fault
 */
export async function prepareStudy(
  { study, input }: StudyRequest,
  { store }: Dependencies,
): Promise<StudyPlan> {
  const name = studyNameSchema.safeParse(study);
  if (!name.success) {
    const message = `the workflow id ${JSON.stringify(study)} names the study's folder: ${name.error.issues[0]?.message ?? ''}`;
    throw new InvalidConfig([{ path: 'name', message }], 'The study');
  }
  const { cells, parallel, totalBudget } = resolvedOnce(study, input);
  await requireSameConfigs(cells, store);
  await writeDocument(studyFiles(store, study).study, {
    formatVersion: 1,
    name: study,
    cells: cells.map(({ name: cell, experiment, method, variant, seed }) => ({
      name: cell,
      experiment,
      method,
      ...(variant === undefined ? {} : { variant }),
      seed,
    })),
  });
  const budget = totalBudget && { limits: totalBudget, used: await usedTogether(cells, store) };
  return { cells: cells.length, parallel, ...(budget === undefined ? {} : { budget }) };
}

type WatchRequest = StudyRequest & { readonly limits: Limits };

/**
 * Looks at what a study's experiments have used together, until that is as much as the limits, and for at most ten minutes: then the workflow asks
 * again, perhaps with other limits.
 */
export async function watchStudy(
  { study, input, limits }: WatchRequest,
  { store }: Dependencies,
  { signal, show }: Running,
): Promise<UsedSoFar> {
  const { cells } = resolvedOnce(study, input);
  const finished = new Map<string, UsedSoFar>();
  for (const until = Date.now() + watchMs; ;) {
    const used = await usedTogether(cells, store, finished);
    show({ used });
    if (usedUp({ limits, used }).length > 0 || Date.now() > until) return used;
    await sleep(lookEveryMs, undefined, { signal });
  }
}

const watchMs = 600_000;
const lookEveryMs = 5_000;

type PageRequest = StudyRequest & { readonly from: number; readonly count: number };

/** Some of a study's experiments in their order: a page at a time, so that no payload grows with the study. */
export async function studyCells(
  { study, input, from, count }: PageRequest,
  { store }: Dependencies,
): Promise<PlannedCell[]> {
  const page = resolvedOnce(study, input).cells.slice(from, from + count);
  return Promise.all(
    page.map(async ({ config, ...cell }) => ({
      ...cell,
      finished: (await findFinished(store, cell.name, config)) !== null,
    })),
  );
}

/** Told before anything is started, and for all of them. */
async function requireSameConfigs(cells: readonly StudyCell[], store: Store): Promise<void> {
  const faults = await Promise.all(
    cells.map(async ({ name, config }) => {
      const files = experimentFiles(store, name);
      const differences = await differenceFromBegun(files, config);
      return differences
        .filter(({ path }) => path !== 'iterations')
        .map(({ path, before, after }) => ({
          path: `${name}.${path}`,
          message: `was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}: give the study another name, or remove ${files.folder.where}`,
        }));
    }),
  );
  if (faults.flat().length > 0) throw new InvalidConfig(faults.flat(), 'The study');
}

/** The result of a study's workflow. */
export type StudyResult = {
  readonly name: string;
  /** The number of experiments in the study. */
  readonly experiments: number;
  readonly finished: number;
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** Names in the study's folder. */
  readonly files: readonly string[];
};

type WriteRequest = {
  readonly study: string;
  readonly input: unknown;
  readonly failed: StudyResult['failed'];
};

/** Writes the tables and the report of a study from the experiments that this store has finished. */
export async function writeStudy(
  { study, input, failed }: WriteRequest,
  { store }: Dependencies,
): Promise<StudyResult> {
  const { cells } = resolvedOnce(study, input);
  const finished = [];
  for (const cell of cells) {
    const result = await findFinished(store, cell.name, cell.config);
    if (result !== null) finished.push({ ...cell, result });
  }
  const written = await writeStudyReport(store, study, finished, failed);
  const { folder } = studyFiles(store, study);
  return {
    name: study,
    experiments: cells.length,
    finished: finished.length,
    failed,
    files: written.map(({ name }) => name.slice(folder.name.length + 1)),
  };
}
