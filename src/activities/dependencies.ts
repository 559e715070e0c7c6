import type { ExperimentConfig } from '../config/experiment.ts';
import { colloquyVersion } from '../config/installation.ts';
import type { Endpoints } from '../engines/endpoint/open.ts';
import type { GpuGate } from '../engines/gpu-gate.ts';
import type { Trainers } from '../engines/trainer/open.ts';
import type { Tasks } from '../questions/open-task.ts';
import { findModel } from '../store/models.ts';
import { configInForce } from '../store/records/config-changes.ts';
import type { IterationRecord } from '../store/records/rows.ts';
import type { ExperimentFiles, Store } from '../store/store.ts';

/** What activities have an effect on. The worker passes the real ones. */
export type Dependencies = {
  readonly store: Store;
  /** What answers for an experiment's base model and its fine-tunes. */
  readonly endpoints: Endpoints;
  /** What fine-tunes. */
  readonly trainers: Trainers;
  readonly tasks: Tasks;
  /** Keeps training and answers from using the GPU at the same time. */
  readonly gate: GpuGate;
  /** Whether runs that begin here are to set Temporal's search attributes. */
  readonly searchAttributes: boolean;
};

/** The config of an experiment that was prepared, as it is for an iteration, or (without one) for what comes after the last. */
export async function configOf(files: ExperimentFiles, iteration?: number): Promise<ExperimentConfig> {
  return configInForce(files, iteration);
}

/** What took part: Colloquy, Node, and the libraries that the newest fine-tune names in its manifest. */
export async function versions(
  store: Store,
  iterations: readonly IterationRecord[],
): Promise<Record<string, string>> {
  const newest = iterations
    .flatMap(({ fineTunes }) => fineTunes)
    .findLast(({ model }) => model !== null)?.model;
  const model = newest ? await findModel(store, newest) : null;
  return { colloquy: colloquyVersion(), node: process.versions.node, ...model?.versions };
}
