import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { changeHoldsFrom } from '../../algorithm/changeable.ts';
import type { Difference } from '../../config/resolve.ts';
import { isThere } from '../../store/blobs.ts';
import { differenceFromBegun } from '../../store/records/config-changes.ts';
import { type ExperimentResult, findFinished } from '../../store/records/result.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { shellWord } from '../../text/terminal-safe.ts';
import { taskQueues } from '../../workflows/server-names.ts';
import type { Experiment } from '../command.ts';
import type { Temporal } from '../server/connect.ts';
import { findWorkflow } from '../server/workflow.ts';
import { readProgress } from './snapshot.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** What starting an experiment came to. */
export type Start =
  | { readonly kind: 'started' }
  /** It had failed or been cancelled, or has more iterations now: it goes on where it was. */
  | { readonly kind: 'continued' }
  | { readonly kind: 'attached' }
  | { readonly kind: 'finished'; readonly result: ExperimentResult };

/**
 * Starts the experiment unless it runs or has finished with this config.
 *
 * @throws ExperimentHasOtherConfig when the name belongs to another config; OtherKind when it belongs to a study
 */
export async function startExperiment(temporal: Temporal, experiment: Experiment): Promise<Start> {
  const { name, input } = experiment;
  const files = experimentFiles(openStore(), name);
  const differences = await differenceFromBegun(files, experiment.config);
  const status = (await findWorkflow(temporal, name, 'experiment'))?.status.name;
  const running = status === 'RUNNING' || status === 'PAUSED';
  if (running) {
    if (differences.length === 0 || (await onlyStoreIsBehind(temporal, experiment, differences)))
      return { kind: 'attached' };
    throw new ExperimentHasOtherConfig(name, differences, running);
  }
  if (!onlyMoreIterations(differences)) throw new ExperimentHasOtherConfig(name, differences, running);
  const result = await finishedResult(experiment);
  if (result !== null) return { kind: 'finished', result };
  const begun = await isThere(files.config);

  try {
    await temporal.client.workflow.start('experiment', {
      workflowId: name,
      taskQueue: taskQueues.control,
      args: [input],
      staticSummary: experimentSummary(experiment.config),
      staticDetails: experimentDetails(name),
      // A completed experiment runs again when it has more iterations now, or when its folder was removed.
      workflowIdReusePolicy: status === 'COMPLETED' ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  } catch (error) {
    // Another process started it first and it has even finished: follow that one.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { kind: 'attached' };
  }
  return { kind: begun ? 'continued' : 'started' };
}

/** The result of an experiment that this store has finished with this config and at least as many iterations; null otherwise. */
export async function finishedResult(experiment: Experiment): Promise<ExperimentResult | null> {
  const { name, config } = experiment;
  const files = experimentFiles(openStore(), name);
  if (!onlyMoreIterations(await differenceFromBegun(files, config))) return null;
  const result = await findFinished(openStore(), name, config);
  // A night has finished only when its series has recorded it.
  return config.carry_over !== undefined && result?.night === undefined ? null : result;
}

/** The name is taken by an experiment with other settings. */
export class ExperimentHasOtherConfig extends ColloquyError {
  override name = 'ExperimentHasOtherConfig' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(experiment: string, differences: readonly Difference[], running: boolean) {
    const lines = differences.map((each) => `  ${differenceText(each)}`);
    super(
      `The experiment "${experiment}" ${running ? 'is running' : 'was begun'} with another config:\n${lines.join('\n')}\n` +
        changesText(experiment, differences, running) +
        `Give this one another name (name=…)${running ? '' : `, or remove ${openStore().experiment(experiment).where} to start afresh`}.`,
    );
  }
}

/** Commands for those of the differences that can be changed while the experiment runs. */
function changesText(experiment: string, differences: readonly Difference[], running: boolean): string {
  const name = shellWord(experiment);
  const commands = differences.flatMap(({ path, after }) => {
    if (path === 'iterations')
      return running ? [`colloquy set-iterations ${name} ${JSON.stringify(after)}`] : [];
    if (changeHoldsFrom(path, { iteration: 1, phase: 'debating' }) === null) return [];
    return [`colloquy change ${name} ${shellWord(`${path}=${JSON.stringify(after)}`)}`];
  });
  if (commands.length === 0) return '';
  const when = running
    ? 'While it runs, these change it'
    : 'Start it with its own config; then these change it';
  return `${when}:\n${commands.map((command) => `  ${command}`).join('\n')}\n`;
}

/** `seed: 0 there, 7 here` */
export function differenceText({ path, before, after }: Difference): string {
  return `${path}: ${JSON.stringify(before)} there, ${JSON.stringify(after)} here`;
}

/** More iterations of the same experiment are not another config. */
function onlyMoreIterations(differences: readonly Difference[]): boolean {
  return differences.every(
    ({ path, before, after }) =>
      path === 'iterations' && typeof before === 'number' && typeof after === 'number' && after > before,
  );
}

/** The store has the iterations of the last start; after `set-iterations`, or while a start is being prepared, there are others. */
async function onlyStoreIsBehind(
  { client }: Temporal,
  { name, config }: Experiment,
  differences: readonly Difference[],
): Promise<boolean> {
  if (differences.some(({ path }) => path !== 'iterations')) return false;
  const progress = await readProgress(client, name);
  return progress?.phase === 'preparing' || progress?.iterations === config.iterations;
}

/** One line about an experiment, which the Temporal UI shows above the run. Temporal keeps at most 200 bytes. */
export function experimentSummary({ agents, rounds, iterations, task, model }: ExperimentConfig): string {
  const who = `${agents} ${agents === 1 ? 'agent' : 'agents'}`;
  const often = `${iterations} ${iterations === 1 ? 'iteration' : 'iterations'}`;
  return `${who} debate ${task.kind} questions in ${rounds} rounds; ${often} of fine-tuning ${model.model_name_or_path}`.slice(
    0,
    180,
  );
}

/** How to steer an experiment, as Markdown for the Temporal UI. What the experiment is doing is in its current details. */
export function experimentDetails(name: string): string {
  const steering = ['status', 'pause', 'resume', 'set-iterations', 'abort'].map(
    (command) => `colloquy ${command} ${shellWord(name)}${command === 'set-iterations' ? ' 5' : ''}`,
  );
  return [
    'The base model is evaluated; then, in each iteration, the agents debate the training questions, each is fine-tuned on its side of the debates, and all are evaluated again. Each iteration is a run of its own.',
    ['```', ...steering, '```'].join('\n'),
    'Steps are debates of a shard of questions, datasets of an agent, fine-tunes of a model. A step that fails is tried again; one that cannot be done waits, and the current details say what for.',
  ].join('\n\n');
}
