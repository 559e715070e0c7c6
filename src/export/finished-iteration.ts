import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { z } from 'zod';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../config/experiment.ts';
import { ArtifactMissing } from '../store/errors.ts';
import { readDocument } from '../store/files/documents.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
} from '../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, type Store } from '../store/store.ts';
import { ExperimentNotFinished } from './experiment-not-finished.ts';
import { ExperimentNotInStore } from './experiment-not-in-store.ts';
import { IterationNotFinished } from './iteration-not-finished.ts';
import { NothingTrained } from './nothing-trained.ts';

/** An iteration that is done, with what its exports say about it. */
export type FinishedIteration = {
  readonly experiment: string;
  /** 1..L */
  readonly iteration: number;
  readonly files: ExperimentFiles;
  readonly config: ExperimentConfig;
  /** Of iterations 1 to this one. */
  readonly records: readonly IterationRecord[];
  /** Of the base model (or, for a night, the agents that it began with), then after each iteration up to this one. */
  readonly evaluations: readonly Evaluation[];
};

/**
 * An iteration of an experiment, which need not have finished itself.
 *
 * @param wanted without it, the last one of a finished experiment
 * @throws ExperimentNotInStore, ExperimentNotFinished, IterationNotFinished, NothingTrained, ArtifactMissing, ArtifactDamaged
 */
export async function finishedIteration(
  store: Store,
  experiment: string,
  wanted: number | undefined,
): Promise<FinishedIteration> {
  const files = experimentFiles(store, experiment);
  const config = await readDocument(files.config, experimentConfigSchema);
  if (config === null) throw new ExperimentNotInStore(files.folder);
  const finished = await finishedIterations(files);
  const last = finished.at(-1);
  if (wanted === 0)
    throw new NothingTrained(experiment, 'iteration 0 is the base model, before any fine-tune');
  if (wanted === undefined && !existsSync(files.result))
    throw new ExperimentNotFinished(experiment, finished);
  if (wanted === undefined && last === undefined)
    throw new NothingTrained(experiment, 'it has no iterations, it only evaluated the base model');
  const iteration = wanted ?? last ?? 0;
  if (!finished.includes(iteration)) throw new IterationNotFinished(experiment, iteration, finished);
  const upTo = Array.from({ length: iteration + 1 }, (_, each) => each);
  const evaluated = await Promise.all(
    upTo.map((each) => present(files.evaluation(each), evaluationRecordSchema)),
  );
  return {
    experiment,
    iteration,
    files,
    config,
    records: await Promise.all(
      upTo.slice(1).map((each) => present(files.record(each), iterationRecordSchema)),
    ),
    evaluations: evaluated.map(({ evaluation }) => evaluation),
  };
}

/** In their order. The evaluation is what an iteration ends with. */
async function finishedIterations(files: ExperimentFiles): Promise<number[]> {
  return (await readdir(files.folder))
    .flatMap((name) => /^iteration-([1-9]\d*)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((iteration) => existsSync(files.record(iteration)) && existsSync(files.evaluation(iteration)))
    .toSorted((a, b) => a - b);
}

async function present<Value>(path: string, schema: z.ZodType<Value>): Promise<Value> {
  const value = await readDocument(path, schema);
  if (value === null) throw new ArtifactMissing(path);
  return value;
}
