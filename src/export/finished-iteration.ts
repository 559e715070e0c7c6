import type { Evaluation } from '../algorithm/evaluation.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../config/experiment.ts';
import { isThere } from '../store/blobs.ts';
import { readDocument, requireDocument } from '../store/files/documents.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
} from '../store/records/rows.ts';
import { begunIterations, type ExperimentFiles, experimentFiles, type Store } from '../store/store.ts';
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
  if (config === null) throw new ExperimentNotInStore(files.folder.where);
  const finished = await finishedIterations(files);
  const last = finished.at(-1);
  if (wanted === 0)
    throw new NothingTrained(experiment, 'iteration 0 is the base model, before any fine-tune');
  if (wanted === undefined && !(await isThere(files.result)))
    throw new ExperimentNotFinished(experiment, finished);
  if (wanted === undefined && last === undefined)
    throw new NothingTrained(experiment, 'it has no iterations, it only evaluated the base model');
  const iteration = wanted ?? last ?? 0;
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
    records: await Promise.all(
      upTo.slice(1).map((each) => requireDocument(files.record(each), iterationRecordSchema)),
    ),
    evaluations: evaluated.map(({ evaluation }) => evaluation),
  };
}

/** In their order. The evaluation is what an iteration ends with. */
async function finishedIterations(files: ExperimentFiles): Promise<number[]> {
  const finished: number[] = [];
  for (const iteration of await begunIterations(files)) {
    const done = (await isThere(files.record(iteration))) && (await isThere(files.evaluation(iteration)));
    if (iteration > 0 && done) finished.push(iteration);
  }
  return finished;
}
