import { existsSync } from 'node:fs';
import { WorkflowExecutionAlreadyStartedError, type WorkflowExecutionStatusName } from '@temporalio/client';
import { z } from 'zod';
import type { ExperimentConfig } from '../config/experiment.ts';
import { configDifference, type Difference } from '../config/resolve.ts';
import { readResult } from '../report/read/experiment.ts';
import { ArtifactDamaged } from '../store/errors.ts';
import { readDocument } from '../store/files/documents.ts';
import type { ExperimentResult } from '../store/records/result.ts';
import { experimentFiles, openStore } from '../store/store.ts';
import { taskQueues } from '../workflows/server-names.ts';
import type { Temporal } from './connect.ts';
import { ExperimentNotFound } from './experiment-not-found.ts';
import { experimentDetails, experimentSummary } from './experiment-summary.ts';
import { describe, readSnapshot } from './snapshot.ts';
import { requireKind } from './workflow-kind.ts';

/** What there was to do about an experiment that should run. */
export type Start =
  | { readonly kind: 'started' }
  /** It had failed or been cancelled, or has more iterations now: it goes on where it was. */
  | { readonly kind: 'continued' }
  | { readonly kind: 'attached' }
  | { readonly kind: 'finished'; readonly result: ExperimentResult };

export type Experiment = {
  readonly name: string;
  /** What the workflow is given: not resolved, so that it means the same as `temporal workflow start --input`. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly config: ExperimentConfig;
};

/**
 * Starts the experiment unless it runs or has finished with this config.
 *
 * @throws ExperimentHasOtherConfig when the name belongs to another config; OtherKind when it belongs to a study
 */
export async function startExperiment(temporal: Temporal, experiment: Experiment): Promise<Start> {
  const { name, input } = experiment;
  const differences = await differencesFromStore(experiment);
  const status = await statusOf(temporal, name);
  const running = status === 'RUNNING' || status === 'PAUSED';
  if (running) {
    if (differences.length === 0 || (await onlyStoreIsBehind(temporal, experiment, differences)))
      return { kind: 'attached' };
    throw new ExperimentHasOtherConfig(name, differences, running);
  }
  if (!onlyMoreIterations(differences)) throw new ExperimentHasOtherConfig(name, differences, running);
  const result = await finishedResult(experiment);
  if (result !== null) return { kind: 'finished', result };

  const completed = status === 'COMPLETED';
  try {
    await temporal.client.workflow.start('experiment', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [input],
      staticSummary: experimentSummary(experiment.config),
      staticDetails: experimentDetails(name),
      // Completed before, and yet to be done: it has more iterations now, or its folder was removed.
      workflowIdReusePolicy: completed ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  } catch (error) {
    // Somebody else was quicker, and theirs has even finished: theirs is followed.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { kind: 'attached' };
  }
  const begun = existsSync(experimentFiles(openStore(), name).config);
  return { kind: begun ? 'continued' : 'started' };
}

/** The result of an experiment that this store has finished with at least as many iterations; null otherwise. */
export async function finishedResult(experiment: Experiment): Promise<ExperimentResult | null> {
  const differences = await differencesFromStore(experiment);
  const files = experimentFiles(openStore(), experiment.name);
  if (differences.length > 0 || !existsSync(files.result)) return null;
  const result = await unlessDamaged(readResult(files.folder));
  if (result === null) return null;
  // A night is finished when its series knows of it.
  if (experiment.config.carry_over !== undefined && result.night === undefined) return null;
  const done = result.evaluations.at(-1)?.iteration ?? 0;
  return done >= experiment.config.iterations ? result : null;
}

/** The name is taken by an experiment with other settings. */
export class ExperimentHasOtherConfig extends Error {
  override name = 'ExperimentHasOtherConfig' as const;
  readonly differences: readonly Difference[];

  constructor(experiment: string, differences: readonly Difference[], running: boolean) {
    const lines = differences.map(
      ({ path, before, after }) =>
        `  ${path}: ${JSON.stringify(before)} there, ${JSON.stringify(after)} here`,
    );
    const iterations = differences.find(({ path }) => path === 'iterations');
    super(
      `The experiment "${experiment}" ${running ? 'is running' : 'was begun'} with another config:\n${lines.join('\n')}\n` +
        (running && iterations !== undefined
          ? `Only the number of iterations can be changed now: colloquy set-iterations ${experiment} ${JSON.stringify(iterations.after)}\n`
          : '') +
        `Give this one another name (name=…)${running ? '' : `, or remove ${openStore().experiment(experiment)} to start afresh`}.`,
    );
    this.differences = differences;
  }
}

/** Nothing when the store does not know the experiment: its worker may keep its files elsewhere. */
async function differencesFromStore({ name, config }: Experiment): Promise<Difference[]> {
  const stored = await unlessDamaged(readDocument(experimentFiles(openStore(), name).config, z.unknown()));
  return stored === null ? [] : configDifference(stored, config);
}

/** The store holds what was done; doing more of the same is no other config. */
function onlyMoreIterations(differences: readonly Difference[]): boolean {
  return differences.every(
    ({ path, before, after }) =>
      path === 'iterations' && typeof before === 'number' && typeof after === 'number' && after > before,
  );
}

/** The store has the iterations of the last start; `set-iterations`, or a start that is still being prepared, has others. */
async function onlyStoreIsBehind(
  temporal: Temporal,
  { name, config }: Experiment,
  differences: readonly Difference[],
): Promise<boolean> {
  if (differences.some(({ path }) => path !== 'iterations')) return false;
  const { progress } = await readSnapshot(temporal, name);
  return progress?.phase === 'preparing' || progress?.iterations === config.iterations;
}

/** A damaged artifact counts as missing: the experiment's next run moves it aside, says so and makes it again. */
async function unlessDamaged<Value>(read: Promise<Value>): Promise<Value | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ArtifactDamaged) return null;
    throw error;
  }
}

async function statusOf(temporal: Temporal, name: string): Promise<WorkflowExecutionStatusName | null> {
  try {
    const description = await describe(temporal, name);
    requireKind(name, description, 'experiment');
    return description.status.name;
  } catch (error) {
    if (error instanceof ExperimentNotFound) return null;
    throw error;
  }
}
