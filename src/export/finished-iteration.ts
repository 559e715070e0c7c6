import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { distilledModel } from '../algorithm/agents.ts';
import { type GuardCourse, guardCourse, type GuardFigures, lineageOf } from '../algorithm/guard.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { methods } from '../algorithm/methods.ts';
import { agentOf, type ModelSettings } from '../config/agents.ts';
import { agentCount, type ExperimentConfig, storedConfigSchema } from '../config/experiment.ts';
import { guardOf } from '../config/limits.ts';
import { below, isThere, type Place } from '../store/blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument, requireDocument } from '../store/files/documents.ts';
import { type DistilledRecord, distilledRecordSchema } from '../store/records/iteration.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
} from '../store/records/rows.ts';
import { manifestOf, requireNotPruned, storedManifestSchema, type StoredManifest } from '../store/models.ts';
import { nightPlanSchema, readLedger } from '../store/series.ts';
import { begunIterations, type ExperimentFiles, experimentFiles, type Store } from '../store/store.ts';
import {
  ExperimentNotFinished,
  ExperimentNotInStore,
  IterationNotFinished,
  NoNightAccepted,
  NotDistilled,
  NothingTrained,
} from './errors.ts';

/** A finished iteration, with what its exports say about it. */
export type FinishedIteration = {
  readonly experiment: string;
  /** 1..L */
  readonly iteration: number;
  readonly files: ExperimentFiles;
  readonly config: ExperimentConfig;
  /** The iterations by which its agents were made: all of 1 to this one, but for those that a guard rolled back. */
  readonly lineage: readonly number[];
  /** Of iterations 1 to this one. */
  readonly records: readonly IterationRecord[];
  /** Of the base model (or, for a night, the agents that it began with), then after each iteration up to this one. */
  readonly evaluations: readonly Evaluation[];
};

/**
 * A finished iteration of an experiment, which itself may not have finished.
 *
 * @param wanted default: the last one of a finished experiment, or the best one by its guard
 * @throws ExperimentNotInStore, ExperimentNotFinished, IterationNotFinished, NothingTrained, ArtifactMissing, ArtifactDamaged
 */
export async function finishedIteration(
  store: Store,
  experiment: string,
  wanted: number | undefined,
): Promise<FinishedIteration> {
  const files = experimentFiles(store, experiment);
  const config = await readDocument(files.config, storedConfigSchema);
  if (config === null) throw new ExperimentNotInStore(files.folder.where);
  const finished = await finishedIterations(files);
  const last = finished.at(-1);
  if (wanted === 0)
    throw new NothingTrained(experiment, 'iteration 0 is the base model, before any fine-tune');
  if (wanted === undefined && !(await isThere(files.result)))
    throw new ExperimentNotFinished(experiment, finished);
  if (wanted === undefined && last === undefined)
    throw new NothingTrained(experiment, 'it has no iterations, it only evaluated the base model');
  const course = await guardCourseOf(files, config);
  if (wanted === undefined && course?.best === 0)
    throw new NothingTrained(
      experiment,
      'its guard found no iteration better than iteration 0, before any fine-tune; name one with --iteration',
    );
  const iteration = wanted ?? course?.best ?? last ?? 0;
  if (!finished.includes(iteration)) throw new IterationNotFinished(experiment, iteration, finished);
  const upTo = Array.from({ length: iteration + 1 }, (_, each) => each);
  const evaluated = await Promise.all(
    upTo.map((each) => requireDocument(files.evaluation(each), evaluationRecordSchema)),
  );
  return {
    experiment,
    iteration,
    files,
    config,
    lineage: course === undefined ? upTo.slice(1) : lineageOf(course, iteration),
    records: await Promise.all(
      upTo.slice(1).map((each) => requireDocument(files.record(each), iterationRecordSchema)),
    ),
    evaluations: evaluated.map(({ evaluation }) => evaluation),
  };
}

/** What the guard of an experiment has decided, as far as it has come; undefined where it has none, or has decided nothing yet. */
async function guardCourseOf(
  files: ExperimentFiles,
  config: ExperimentConfig,
): Promise<GuardCourse | undefined> {
  const settings = guardOf(config);
  if (settings === undefined) return undefined;
  const all: GuardFigures[] = [];
  for (;;) {
    const record = await readDocument(files.evaluation(all.length, 'validation'), evaluationRecordSchema);
    if (record?.figures === undefined) break;
    all.push(record.figures);
  }
  return all.length === 0 ? undefined : guardCourse(all, settings);
}

/**
 * Whether a finished experiment's agents are those with which it began: nothing was trained that its guard found better.
 *
 * @throws ArtifactDamaged
 */
export async function keptItsStart(files: ExperimentFiles, config: ExperimentConfig): Promise<boolean> {
  return (await isThere(files.result)) && (await guardCourseOf(files, config))?.best === 0;
}

/** Ascending, without the base model. An iteration ends with its evaluation. */
export async function finishedIterations(files: ExperimentFiles): Promise<number[]> {
  const finished: number[] = [];
  for (const iteration of await begunIterations(files))
    if (
      iteration > 0 &&
      (await isThere(files.record(iteration))) &&
      (await isThere(files.evaluation(iteration)))
    )
      finished.push(iteration);
  return finished;
}

/** A model of an agent after an iteration. */
export type AgentModel = {
  /** 1..N; of agents that share the model, the first. */
  readonly agent: number;
  readonly role: string;
  /** Its content address; null while it is still the base model. */
  readonly key: string | null;
  /** The iteration whose fine-tune made it; null when it is older than the experiment. */
  readonly madeIn: number | null;
};

/**
 * The agents' models after an iteration. A model that had nothing to learn from in it is the one of an earlier iteration, the one that a
 * night of a series began with, or the base model.
 *
 * @throws ArtifactDamaged
 */
export async function agentModelsAfter({
  files,
  records,
  lineage,
}: Pick<FinishedIteration, 'files' | 'records' | 'lineage'>): Promise<AgentModel[]> {
  const plan = await readDocument(files.nightPlan, nightPlanSchema);
  const models = new Map<string, AgentModel>();
  for (const { iteration, fineTunes } of records) {
    if (!lineage.includes(iteration)) continue;
    for (const { agent, role, model } of fineTunes) {
      const name = `${agent} ${role}`;
      const began = plan?.start.agents.find(({ number }) => number === agent)?.models[role] ?? null;
      const before = models.get(name) ?? { agent, role, key: began, madeIn: null };
      models.set(name, model === null ? before : { agent, role, key: model, madeIn: iteration });
    }
  }
  return [...models.values()];
}

/** The one model that the group was distilled into after an iteration, what it learnt from, and how it did. */
export type DistilledModel = AgentModel & {
  readonly key: string;
  readonly record: DistilledRecord;
  readonly evaluation: Evaluation;
  /** Tokens of all its answers to the held-out questions, and of the group's debates. */
  readonly tokens: { readonly own: number; readonly debate: number };
};

/** @throws NotDistilled when there is none; ArtifactMissing, ArtifactDamaged */
export async function distilledModelOf({
  experiment,
  iteration,
  files,
  config,
}: FinishedIteration): Promise<DistilledModel> {
  const record = await readDocument(files.distilled(iteration), distilledRecordSchema);
  const evaluated = await readDocument(files.evaluation(iteration, 'distilled'), evaluationRecordSchema);
  const key = record?.fineTune.model ?? null;
  if (record === null || evaluated === null || key === null)
    throw new NotDistilled(experiment, iteration, config.distill !== undefined);
  const group = await requireDocument(files.evaluation(iteration), evaluationRecordSchema);
  const sum = ({ tokens }: typeof group) => tokens.prompt + tokens.completion;
  return {
    agent: 1,
    role: distilledModel,
    key,
    madeIn: iteration,
    record,
    evaluation: evaluated.evaluation,
    tokens: { own: sum(evaluated), debate: sum(group) },
  };
}

/** Which of the agents' models. */
export type WhichModel = {
  /** 1..N */
  readonly agent: number;
  /** Default: the role that gives first answers. `distilled`: the one model of the group. */
  readonly role?: string | undefined;
};

/** @throws NothingTrained, NotDistilled when there is none */
export async function wantedModel(
  done: FinishedIteration,
  { agent, role }: WhichModel,
): Promise<AgentModel | DistilledModel> {
  if (role === distilledModel) return distilledModelOf(done);
  const { experiment, config } = done;
  const models = await agentModelsAfter(done);
  const agents = agentCount(config);
  const wanted = role ?? methods[config.method].roles[0]?.name ?? '';
  const ofRole = models.filter((each) => each.role === wanted);
  // Agents that share a model are listed by the first of them.
  const shared = ofRole.length === 1 && agents > 1 ? ofRole[0] : undefined;
  const found = ofRole.find((each) => each.agent === agent) ?? shared;
  if (found !== undefined && agent <= agents) return found;
  const names = models.map((each) => `agent ${each.agent} ${each.role}`);
  throw new NothingTrained(
    experiment,
    `it has no ${wanted} model of agent ${agent}, only ${names.join(', ')}`,
  );
}

/** The models with which an experiment began: those that an earlier night left; none for base models. @throws ArtifactDamaged */
export async function startingModels(files: ExperimentFiles): Promise<AgentModel[]> {
  const plan = await readDocument(files.nightPlan, nightPlanSchema);
  return (plan?.start.agents ?? []).flatMap(({ number: agent, models }) =>
    Object.entries(models).map(([role, key]) => ({ agent, role, key, madeIn: null })),
  );
}

/** The base model from which an agent's models were trained. */
export function baseOf({ config }: FinishedIteration, { agent }: Pick<AgentModel, 'agent'>): ModelSettings {
  return agentOf(config, agent).model;
}

/**
 * Copies the files of a finished fine-tune, each compared with the hash in its manifest. The manifest is returned and not copied: it
 * belongs to the store.
 *
 * @throws ArtifactMissing, ArtifactDamaged, ModelPruned, DiskFull, StoreNotWritable
 */
export async function copyModel(store: Store, key: string, to: string): Promise<StoredManifest> {
  await requireNotPruned(store, key);
  const model = store.model(key);
  const manifest = await readDocument(manifestOf(model), storedManifestSchema);
  if (manifest === null) throw new ArtifactMissing(model.where);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const from = below(model, name);
    const hash = createHash('sha256');
    await writeAtomically(join(to, name), hashed(from, hash));
    const found = hash.digest('hex');
    if (found !== sha256) throw new ArtifactDamaged(from.where, `sha256 ${sha256}`, found);
  }
  return manifest;
}

async function* hashed(
  { blobs, name }: Place,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of blobs.stream(name)) {
    hash.update(piece);
    yield piece;
  }
}

/**
 * The experiment whose agents the next night of a series begins with: the last accepted one.
 *
 * @throws NoNightAccepted, SeriesDamaged
 */
export async function lastAcceptedNight(store: Store, series: string): Promise<string> {
  const nights = await readLedger(store, series);
  const night = nights.findLast(({ next }) => next !== null)?.next?.night;
  if (night === undefined || night === null) throw new NoNightAccepted(series, nights.length);
  return night;
}
