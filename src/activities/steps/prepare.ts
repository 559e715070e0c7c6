import { type Budget, changeHoldsFrom, freshBudget } from '../../algorithm/steering.ts';
import { learnerGroups, methods } from '../../algorithm/methods.ts';
import type { GuardSettings } from '../../algorithm/guard.ts';
import { guardOf, hasValidation } from '../../config/limits.ts';
import { modelNames } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { codeHash } from '../../config/installation.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { requireOwnModel, resolveConfig, startedAgain } from '../../config/resolve.ts';
import { trainingFaults } from '../../config/training-plan.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { loadHeldOut, loadQuestions, type TaskData, type Tasks } from '../../questions/open-task.ts';
import { warningsOf } from '../../report/findings/warnings.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { writeRows } from '../../store/files/rows.ts';
import { type BaseModel, type Model, untuned } from '../../store/models.ts';
import { usedBefore, type Warning } from '../../store/records/result.ts';
import { changesOf, differenceFromBegun, withChanges } from '../../store/records/config-changes.ts';
import { type ExperimentFiles, experimentFiles, type Origin, storeIdentity } from '../../store/store.ts';
import { shellWord } from '../../text/safe-text.ts';
import type { Dependencies, Running } from '../activity.ts';
import { showFineTune } from '../asking/journalled-answers.ts';
import { type Beginning, findBeginning, storedQuestions, writeBeginning } from './begun-with.ts';
import { responseEncoder } from './measure-diversity.ts';
import { type PathOfFault, prepareModels } from './prepare-models.ts';
import { type PlannedNight, plannedNight, planNight, questionsOfNight } from './night.ts';

/** What the workflow needs to know of a resolved config: numbers, no texts. */
export type Plan = {
  readonly experiment: string;
  readonly agents: number;
  readonly iterations: number;
  /** Of each agent: the roles that it has models for. */
  readonly roles: readonly { readonly name: string }[];
  /** The base model of agent 1, and of all agents where `bases` is absent. */
  readonly base: Model;
  /** The base model of each agent; only where they are not all the same. */
  readonly bases?: readonly Model[];
  /** What writes the summaries; only where it is not the base model of agent 1. */
  readonly summariser?: Model;
  /** Who shares models that learn, by agent number: each agent alone, or all of them. Empty when nothing is fine-tuned. */
  readonly learners: readonly (readonly number[])[];
  readonly initFrom: ExperimentConfig['init_from'];
  /** Which models stay on disk. Plans of earlier versions keep all. */
  readonly keep?: ExperimentConfig['keep'];
  /** How many more first answers each agent gives to each training question; only where the config asks for some. */
  readonly samples?: number;
  /** What one model learns from in the end; only where the config asks for one. */
  readonly distill?: NonNullable<ExperimentConfig['distill']>;
  /** Where the experiment was begun. Plans of earlier versions have none. */
  readonly begunIn?: Origin;
  readonly searchAttributes?: boolean;
  /** The contents of its memo and its search attributes. Plans of earlier versions have none. */
  readonly about?: About;
  /** Only when it is a night of a series. */
  readonly night?: PlannedNight;
  readonly train: Extent;
  readonly heldout: Extent;
  /** Only where the task has validation questions. */
  readonly validation?: Extent;
  readonly guard?: GuardSettings;
  /** Only where the config has one: what may be used, and what was used before this chain of runs. */
  readonly budget?: Budget;
  /** Other tasks, on whose held-out questions the agents are measured too. */
  readonly transfer: readonly (Extent & { readonly name: string })[];
  /** Whether the majority at equal tokens is measured beside each debate. */
  readonly equalTokens: boolean;
  /** Whether diversity is measured after each evaluation. */
  readonly diversity: boolean;
  /** What the config and the questions already show. Plans of older versions have none. */
  readonly warnings?: readonly Warning[];
};
export type About = { readonly method: string; readonly model: string; readonly series?: string };
export type Extent = { readonly questions: number; readonly shards: number };

/**
 * Resolves and validates the input, refuses a name that belongs to another config, writes the config and the questions to the
 * store and checks that the engine answers and knows the model.
 */
export async function prepare(
  { experiment, input }: { readonly experiment: string; readonly input: unknown },
  { store, endpoints, trainers, tasks, gate, searchAttributes }: Dependencies,
  { signal, show }: Running,
): Promise<Plan> {
  const given = resolveConfig(input);
  requireName(experiment, input);
  requireOwnModel(given);
  const files = experimentFiles(store, experiment);
  const beginning = await findBeginning(files);
  const begun = beginning?.config ?? null;
  await requireSameConfig(experiment, given, files);
  const asBegun = begun === null ? given : startedAgain(begun, given);
  const config = withChanges(asBegun, await changesOf(files));
  const faultsOf = asFaults(begun !== null);
  // A name that this worker does not know is refused now and not after the debates.
  if (config.iterations > 0) await faultsOf('trainer', async () => trainers.for(config.trainer));
  const task = tasks.open(config.task);
  const series = config.carry_over?.series;
  const { questions, night, transfer } = await faultsOf('task', async () => {
    const night =
      series === undefined
        ? null
        : await planNight({ task, config, series, files, signal }, store, begun !== null);
    const load = () =>
      night === null
        ? loadQuestions(task, config.seed, signal)
        : questionsOfNight(task, config, night, store, signal);
    const questions = await questionsOf(load, config, files, beginning);
    return { night, questions, transfer: await transferTasks(config, files, beginning, tasks, signal) };
  });
  const preparation = { experiment, config, files, task, beginning, faultsOf };
  const models = await prepareModels(preparation, { store, endpoints, trainers, gate }, { signal, show });
  const { bases, begunWith } = models;
  await faultsOf('diversity.encoder', () => requireEncoder(config, { endpoints, gate }, { signal, show }));
  // An experiment that was begun goes on: what it has learnt so far is there.
  if (begun === null) {
    const faults = trainingFaults(config, questions.train);
    if (faults.length > 0) throw new InvalidConfig(faults);
  }
  await writeBeginning(files, asBegun, begunWith);
  const guard = guardOf(config);
  const { roles, learning, answer } = methods[config.method];
  return {
    experiment,
    agents: agentCount(config),
    iterations: config.iterations,
    roles: roles.map(({ name }) => ({ name })),
    base: untuned(firstOf(bases)),
    ...(new Set(bases).size === 1 ? {} : { bases: bases.map(untuned) }),
    ...(models.summariser === null ? {} : { summariser: untuned(models.summariser) }),
    learners: models.servesTuned ? learnerGroups(agentCount(config), learning) : [],
    initFrom: config.init_from,
    ...(config.keep === 'all' ? {} : { keep: config.keep }),
    ...(config.samples === undefined ? {} : { samples: config.samples }),
    ...(config.distill === undefined ? {} : { distill: config.distill }),
    begunIn: { ...(await storeIdentity(store)), code: codeHash() },
    ...(searchAttributes ? { searchAttributes } : {}),
    about: { method: config.method, model: modelNames(config), ...(series === undefined ? {} : { series }) },
    ...(night === null
      ? {}
      : { night: plannedNight(night, bases, trainers.for(config.trainer).form(config.fine_tune)) }),
    train: inShards(questions.train, config.shard_size),
    heldout: inShards(questions.heldout, config.shard_size),
    ...(questions.validation > 0 ? { validation: inShards(questions.validation, config.shard_size) } : {}),
    ...(guard === undefined ? {} : { guard }),
    ...(given.budget === undefined ? {} : { budget: freshBudget(given.budget, await usedBefore(files)) }),
    transfer: transfer.map(({ name, size }) => ({ name, ...inShards(size, config.shard_size) })),
    diversity: config.diversity.questions > 0,
    warnings: warningsOf({
      config,
      heldOut: questions.heldout,
      iterations: [],
      evaluations: [],
      begunWith,
    }),
    equalTokens: config.equal_tokens && answer === 'debate' && config.rounds > 1,
  };
}

function firstOf(bases: readonly BaseModel[]): BaseModel {
  const [first] = bases;
  if (first === undefined) throw new RangeError('An experiment without agents has no base model.');
  return first;
}

function requireName(experiment: string, input: unknown): void {
  const name = experimentNameSchema.safeParse(experiment);
  if (!name.success) {
    throw new InvalidConfig([
      {
        path: 'name',
        message: `the workflow id ${JSON.stringify(experiment)} names the experiment's folder: ${name.error.issues[0]?.message ?? ''}`,
      },
    ]);
  }
  const given = typeof input === 'object' && input !== null && 'name' in input ? input.name : undefined;
  if (given !== undefined && given !== experiment) {
    throw new InvalidConfig([
      {
        path: 'name',
        message: `is ${JSON.stringify(given)}, but the workflow id is ${experiment}, and that is the experiment's name: leave \`name\` out of the input, or start it with the id ${JSON.stringify(given)}`,
      },
    ]);
  }
}

/** The same name continues with the same config only. There may be more iterations, and another trainer. */
async function requireSameConfig(
  experiment: string,
  given: ExperimentConfig,
  files: ExperimentFiles,
): Promise<void> {
  const differences = (await differenceFromBegun(files, given)).filter(({ path }) => path !== 'iterations');
  if (differences.length === 0) return;
  throw new InvalidConfig(
    differences.map(({ path, before, after }) => ({
      path,
      message:
        `${experiment} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}: ` +
        (changeHoldsFrom(path, { iteration: 1, phase: 'debating' }) === null
          ? `give this experiment another name, or remove ${files.folder.where}`
          : `start it with the config that it was begun with, and then change it: colloquy change ${shellWord(experiment)} ${shellWord(`${path}=${JSON.stringify(after)}`)}`),
    })),
  );
}

/** An encoder that answers with no vectors is found now, and not after the first evaluation. */
async function requireEncoder(
  { diversity: { questions, encoder } }: ExperimentConfig,
  { endpoints, gate }: Pick<Dependencies, 'endpoints' | 'gate'>,
  { signal, show }: Pick<Running, 'signal' | 'show'>,
): Promise<void> {
  if (questions === 0) return;
  const { asks, encode } = responseEncoder(encoder, endpoints);
  const options = { asked: asks, onWait: showFineTune(show) };
  await gate.shared(signal, async () => encode(['a word'], signal), options);
}

/**
 * Runs a part of the preparation. An error that means that the user's own input is wrong is then a fault of the config under `path`, and
 * ends the run at once: the person who starts it is still there to read it. Any other error may pass (a server that is down, a
 * network, a disk), and is thrown as it is: the step is tried again, and then waits for a person.
 *
 * @param begun whether the experiment was prepared before: its config was in order then, so nothing is a fault of the config now
 */
function asFaults(begun: boolean) {
  return async <Result>(path: PathOfFault, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof InvalidConfig || !(error instanceof ColloquyError)) throw error;
      if (begun || error.exitCode !== exitCodes.badUsage) throw error;
      const message = error.workerLacksIt ? error.message : `${error.name}: ${error.message}`;
      throw new InvalidConfig([{ path: typeof path === 'string' ? path : path(error), message }]);
    }
  };
}

async function questionsOf(
  load: () => Promise<TaskData>,
  { task: settings }: ExperimentConfig,
  files: ExperimentFiles,
  beginning: Beginning | null,
): Promise<{ train: number; heldout: number; validation: number }> {
  const validates = hasValidation(settings);
  const [train, heldout, , validation = 0] =
    (await storedQuestions(
      [
        files.questions('train'),
        files.questions('heldout'),
        files.goldLabels,
        ...(validates ? [files.questions('validation')] : []),
      ],
      beginning,
      files,
    )) ?? [];
  if (train !== undefined && heldout !== undefined) return { train, heldout, validation };
  const task = await load();
  // A reader of the result has to know which questions were not asked; the log alone is not enough.
  await writeDocument(files.leftOut, { formatVersion: 1, leftOut: task.leftOut });
  if (task.source !== undefined)
    await writeDocument(files.questionSource, { formatVersion: 1, ...task.source });
  for (const each of task.leftOut) emit('questions left out', { experiment: files.folder.name, ...each });
  await writeRows(files.questions('train'), task.train);
  await writeRows(files.goldLabels, task.trainLabels);
  await writeRows(files.questions('heldout'), task.heldOut);
  if (validates) await writeRows(files.questions('validation'), task.validation);
  return { train: task.train.length, heldout: task.heldOut.length, validation: task.validation.length };
}

async function transferTasks(
  { transfer, seed }: ExperimentConfig,
  files: ExperimentFiles,
  beginning: Beginning | null,
  tasks: Tasks,
  signal: AbortSignal,
): Promise<{ name: string; size: number }[]> {
  const sizes = [];
  for (const [name, task] of Object.entries(transfer)) {
    const path = files.questions(`transfer-${name}`);
    const [known] = (await storedQuestions([path], beginning, files)) ?? [];
    const size = known ?? (await writeRows(path, await loadHeldOut(tasks.open(task), seed, signal))).rows;
    sizes.push({ name, size });
  }
  return sizes;
}

function inShards(questions: number, shardSize: number): Extent {
  return { questions, shards: Math.ceil(questions / shardSize) };
}
