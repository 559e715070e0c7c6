/** What is there to show: by the store, to which nothing here writes, and by Temporal? */
import pLimit from 'p-limit';
import { nothingUsed } from '../algorithm/steering.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { chosenIteration } from '../algorithm/guard.ts';
import { modelNames } from '../config/agents.ts';
import type { ExperimentConfig } from '../config/experiment.ts';
import { seriesNameSchema, studyNameSchema } from '../config/names.ts';
import { originOf } from '../config/tasks.ts';
import { plannedExperiments } from '../report/read/study.ts';
import { foldersBelow, isThere } from '../store/blobs.ts';
import { readDocument } from '../store/files/documents.ts';
import { configInForce } from '../store/records/config-changes.ts';
import { experimentResultSchema, usedSchema } from '../store/records/result.ts';
import { evaluationRecordSchema } from '../store/records/rows.ts';
import { type NightEntry, readLedger } from '../store/series.ts';
import { type ExperimentFiles, experimentFiles, namesInStore, type Store } from '../store/store.ts';
import { budgetText } from '../workflows/progress-table.ts';

/** An experiment as the store has it. */
export type Experiment = {
  readonly name: string;
  /** When config.json was written, and result.json, in milliseconds since 1970; null for what is not there. */
  readonly begunAt: number | null;
  readonly finishedAt: number | null;
  /** Null when config.json is missing, damaged or of another version. */
  readonly setting: Setting | null;
  /** Of the base model and of each iteration so far. */
  readonly evaluations: readonly Evaluation[];
  /** The iteration whose agents are the experiment's. */
  readonly chosen: number;
  /** What was used of what may be used; null without a budget. */
  readonly budget: string | null;
  /** Why a part of it cannot be shown; null when all is whole. */
  readonly problem: string | null;
};

export type Setting = {
  readonly task: string;
  readonly model: string;
  readonly method: string;
  readonly iterations: number;
  readonly series: string | null;
};

export type Study = {
  readonly name: string;
  /** The names of its experiments. */
  readonly experiments: readonly string[];
  readonly problem: string | null;
};

export type Series = {
  readonly name: string;
  readonly nights: readonly NightEntry[];
  readonly problem: string | null;
};

export type Contents = ReturnType<typeof openContents>;

/** What Temporal told, or why it told nothing: the pages then show what the store has. */
export type Told<Value> = { readonly value: Value } | { readonly silent: string };

export type LiveList = {
  readonly runs: readonly LiveRun[];
  readonly schedules: readonly Readonly<Record<'name' | 'state' | 'next' | 'started' | 'skipped', string>>[];
};

/** The latest run of an experiment or a study. */
export type LiveRun = {
  readonly name: string;
  readonly kind: string;
  /** As Temporal has it; of a running experiment its own state, where a worker answers: `parked`, `paused`. */
  readonly status: string;
  /** `iteration 2 of 3: debating`; null where that is not known. */
  readonly phase: string | null;
  readonly startedAt: Date;
  /** Why it waits for a person, and the command that helps. */
  readonly waits?: { readonly why: string; readonly command: string } | undefined;
  readonly budget?: string | undefined;
};

/** An experiment with what Temporal says of it. */
export type Entry = {
  readonly name: string;
  /** Null when this store has nothing of it. */
  readonly experiment: Experiment | null;
  /** Null when Temporal knows nothing of it, or does not answer. */
  readonly run: LiveRun | null;
  readonly state: string;
};

/** All experiments that the store or Temporal knows: those that have not ended first, then the newest. */
export function entriesOf(experiments: readonly Experiment[], told: Told<LiveList>): Entry[] {
  const answered = 'value' in told;
  const known = answered ? told.value.runs.filter(({ kind }) => kind === 'experiment') : [];
  const runs = new Map(known.map((run) => [run.name, run]));
  const here = experiments.map((experiment) =>
    entryOf(experiment, runs.get(experiment.name) ?? null, answered),
  );
  const names = new Set(experiments.map(({ name }) => name));
  const elsewhere = known
    .filter(({ name }) => !names.has(name))
    .map((run) => ({ name: run.name, experiment: null, run, state: stateOf(null, run, answered) }));
  return [...here, ...elsewhere].toSorted(
    (a, b) => Number(isGoing(b)) - Number(isGoing(a)) || newestOf(b) - newestOf(a),
  );
}

/** @param answered whether Temporal has answered */
export function entryOf(experiment: Experiment, run: LiveRun | null, answered: boolean): Entry {
  return { name: experiment.name, experiment, run, state: stateOf(experiment, run, answered) };
}

function stateOf(experiment: Experiment | null, run: LiveRun | null, answered: boolean): string {
  if (run !== null) return run.status === 'completed' ? 'finished' : run.status.replaceAll('_', ' ');
  if (experiment !== null && experiment.problem !== null) return 'damaged';
  if (hasFinished({ experiment })) return 'finished';
  return answered ? 'not running' : 'not finished';
}

/** Whether the store has its result. */
export function hasFinished({ experiment }: Pick<Entry, 'experiment'>): boolean {
  return experiment !== null && experiment.finishedAt !== null;
}

/** Whether something may still change. */
export function isGoing({ state }: Pick<Entry, 'state'>): boolean {
  return ['running', 'pausing', 'paused', 'parked', 'continued'].includes(state);
}

/** When it last came further, in milliseconds since 1970; 0 where that is not known. */
export function newestOf({ experiment, run }: Pick<Entry, 'experiment' | 'run'>): number {
  return experiment?.finishedAt ?? experiment?.begunAt ?? run?.startedAt.getTime() ?? 0;
}

/** An experiment as it was last read. */
type Known = {
  readonly experiment: Experiment;
  readonly config: ExperimentConfig | null;
  /** Milliseconds since 1970. */
  readonly readAt: number;
};

/**
 * The contents of a store. What does not change is read once: a finished experiment as long as its result.json is the same one, and the
 * config and the evaluations of one that has not finished.
 */
export function openContents(store: Store) {
  const known = new Map<string, Known>();
  const ledgers = new Map<string, { readonly nights: number; readonly series: Series }>();

  /**
   * Null when the store has no experiment of this name.
   *
   * @param patience how old what was read before may be: by whether it has finished, in milliseconds
   * @throws ZodError when no experiment may have the name
   */
  async function experiment(name: string, patience?: Patience): Promise<Experiment | null> {
    const before = known.get(name);
    const most = before === undefined ? undefined : patience?.[hasFinished(before) ? 'finished' : 'begun'];
    if (before !== undefined && most !== undefined && Date.now() - before.readAt < most)
      return before.experiment;
    const files = experimentFiles(store, name);
    const written = await orProblem(
      Promise.all([files.config, files.result].map((each) => store.blobs.writtenAt(each.name))),
    );
    if (written.problem !== null) return { name, ...unknown, problem: written.problem };
    const [begunAt = null, finishedAt = null] = written.value ?? [];
    if (begunAt === null && finishedAt === null && !(await isThere(files.begunWith))) return null;
    // What was damaged may have been mended, and what was begun afresh has other evaluations.
    const isUsable = before?.experiment.problem === null && before.experiment.begunAt === begunAt;
    const usable = isUsable ? before : null;
    const same = usable !== null && finishedAt !== null && usable.experiment.finishedAt === finishedAt;
    const read = same ? usable : await readExperiment(files, { name, begunAt, finishedAt }, usable);
    known.set(name, { ...read, readAt: Date.now() });
    return read.experiment;
  }

  async function series(name: string, nights: number): Promise<Series> {
    const known = ledgers.get(name);
    if (known?.nights === nights) return known.series;
    const read = await orProblem(readLedger(store, name));
    const made = { name, nights: read.value ?? [], problem: read.problem };
    if (read.problem === null) ledgers.set(name, { nights, series: made });
    return made;
  }

  return {
    store,
    experiment,
    /** All of them, in no order, as they were a moment ago. */
    experiments: async (): Promise<Experiment[]> => {
      // So many at a time are asked of a bucket, and of a disk.
      const limit = pLimit(32);
      const names = await namesInStore(store);
      const found = await Promise.all(names.map((name) => limit(() => experiment(name, inLists))));
      return found.filter((each) => each !== null);
    },
    studies: async (): Promise<Study[]> => {
      const names = await foldersBelow(store.blobs, 'studies/', /^([^/]+)\/study\.json$/);
      const valid = [...names.keys()].filter((name) => studyNameSchema.safeParse(name).success);
      return Promise.all(
        valid.map(async (name) => {
          const { value, problem } = await orProblem(plannedExperiments(store, name));
          return { name, experiments: (value ?? []).map((each) => each.name), problem };
        }),
      );
    },
    series: async (): Promise<Series[]> => {
      const names = await foldersBelow(store.blobs, 'series/', /^([^/]+)\/night-\d+\/night\.json$/);
      const valid = [...names].filter(([name]) => seriesNameSchema.safeParse(name).success);
      return Promise.all(valid.map(([name, nights]) => series(name, nights)));
    },
  };
}

type Patience = Readonly<Record<'finished' | 'begun', number>>;
/** Of hundreds of experiments in a bucket, each look costs a request or two. Temporal tells sooner what an experiment does. */
const inLists: Patience = { finished: 60_000, begun: 5_000 };

/** What can be read of an experiment; what cannot is named in `problem`. @param before it as it was, of the same beginning */
async function readExperiment(
  files: ExperimentFiles,
  begun: Pick<Experiment, 'name' | 'begunAt' | 'finishedAt'>,
  before: Known | null,
): Promise<Omit<Known, 'readAt'>> {
  const config =
    before === null ? await orProblem(configInForce(files)) : { value: before.config, problem: null };
  const result =
    begun.finishedAt === null ? null : await orProblem(readDocument(files.result, experimentResultSchema));
  const further = result?.value ? null : await evaluationsAfter(files, before?.experiment.evaluations ?? []);
  const evaluations = result?.value?.evaluations ?? further?.evaluations ?? [];
  const problems = [config, result, further].flatMap((each) => each?.problem ?? []);
  const experiment: Experiment = {
    ...begun,
    setting: config.value === null ? null : settingOf(config.value),
    evaluations,
    chosen: chosenIteration(result?.value ?? { evaluations }),
    budget: config.value === null ? null : await budgetOf(files, config.value),
    problem: problems.length === 0 ? null : problems.join(' '),
  };
  return { experiment, config: config.value };
}

/** Of one whose folder cannot be looked into, e.g. because it is another person's. */
const unknown = { begunAt: null, finishedAt: null, setting: null, evaluations: [], chosen: 0, budget: null };

/** Those before, and what has been evaluated since. */
async function evaluationsAfter(files: ExperimentFiles, before: readonly Evaluation[]) {
  const evaluations = [...before];
  for (;;) {
    const next = await orProblem(readDocument(files.evaluation(evaluations.length), evaluationRecordSchema));
    if (next.value === null) return { evaluations, problem: next.problem };
    evaluations.push(next.value.evaluation);
  }
}

function settingOf(config: ExperimentConfig): Setting {
  const { task, method, iterations, carry_over: night } = config;
  return {
    task: originOf(task).name,
    model: modelNames(config),
    method,
    iterations,
    series: night?.series ?? null,
  };
}

async function budgetOf(files: ExperimentFiles, { budget }: ExperimentConfig): Promise<string | null> {
  if (budget === undefined) return null;
  const { value } = await orProblem(readDocument(files.used, usedSchema));
  return budgetText({ limits: budget, used: value ?? nothingUsed });
}

/** A value, or why it cannot be read: one damaged experiment must not hide the others. */
export async function orProblem<Value>(
  reading: Promise<Value>,
): Promise<{ readonly value: Value | null; readonly problem: string | null }> {
  try {
    return { value: await reading, problem: null };
  } catch (error) {
    return { value: null, problem: error instanceof Error ? error.message : String(error) };
  }
}
