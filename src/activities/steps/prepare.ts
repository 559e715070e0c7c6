import { learnerGroups } from '../../algorithm/methods/method.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import { type ExperimentConfig, experimentConfigSchema } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { codeHash } from '../../config/installation.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { experimentDifference, resolveConfig } from '../../config/resolve.ts';
import { identifyBaseModel } from '../../engines/endpoint/base-model.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { TrainerUnknown } from '../../engines/trainer/errors.ts';
import { emit } from '../../observe/events.ts';
import type { Tasks } from '../../questions/open-task.ts';
import { loadHeldOut, loadQuestions, type TaskData } from '../../questions/task.ts';
import { DiskFull, SeriesDamaged, StoreNotWritable } from '../../store/errors.ts';
import { findDocument, writeDocument } from '../../store/files/documents.ts';
import { findRows, writeRows } from '../../store/files/rows.ts';
import { type Origin, storeIdentity } from '../../store/identity.ts';
import { type BaseModel, type Model, untuned } from '../../store/models.ts';
import { type ExperimentFiles, experimentFiles } from '../../store/store.ts';
import type { Running } from '../activity.ts';
import type { Dependencies } from '../dependencies.ts';
import { type PlannedNight, plannedNight, planNight, questionsOfNight } from './plan-night.ts';

/** What the workflow needs to know of a resolved config: numbers, no texts. */
export type Plan = {
  readonly experiment: string;
  readonly agents: number;
  readonly iterations: number;
  /** Of each agent: the roles that it has models for. */
  readonly roles: readonly { readonly name: string }[];
  /** The base model of all agents. */
  readonly base: Model;
  /** Who shares models that learn, by agent number: each agent alone, or all of them. Empty when nothing is fine-tuned. */
  readonly learners: readonly (readonly number[])[];
  readonly initFrom: ExperimentConfig['init_from'];
  /** Where the experiment was begun. Plans of earlier versions have none. */
  readonly begunIn?: Origin;
  readonly searchAttributes?: boolean;
  /** Only when it is a night of a series. */
  readonly night?: PlannedNight;
  readonly train: Extent;
  readonly heldout: Extent;
  /** Other tasks, on whose held-out questions the agents are measured too. */
  readonly transfer: readonly (Extent & { readonly name: string })[];
  /** Whether the majority at equal tokens is measured beside each debate. */
  readonly equalTokens: boolean;
  /** Whether diversity is measured after each evaluation. */
  readonly diversity: boolean;
};
export type Extent = { readonly questions: number; readonly shards: number };

/**
 * Resolves and validates the input, refuses a name that belongs to another config, writes the config and the questions to the
 * store and checks that the engine answers and knows the model.
 */
export async function prepare(
  { experiment, input }: { readonly experiment: string; readonly input: unknown },
  { store, endpoints, trainers, tasks, searchAttributes }: Dependencies,
  { signal }: Running,
): Promise<Plan> {
  const config = resolveConfig(input);
  requireName(experiment, input);
  // A name that this worker does not know is refused now and not after the debates.
  if (config.iterations > 0) requireTrainer(config.trainer, trainers);
  const files = experimentFiles(store, experiment);
  const task = tasks.open(config.task);
  const begun = await findDocument(files.config, experimentConfigSchema);
  if (begun !== null) requireSameConfig(experiment, begun, config, files);
  const series = config.carry_over?.series;
  const { questions, night, transfer } = await faultsOf('task', signal, async () => {
    const night =
      series === undefined
        ? null
        : await planNight({ task, config, series, files, signal }, store, begun !== null);
    const load = () =>
      night === null
        ? loadQuestions(task, config.seed, signal)
        : questionsOfNight(task, config, night, store, signal);
    const questions = await questionsOf(load, experiment, files, begun !== null);
    return { night, questions, transfer: await transferTasks(config, files, begun !== null, tasks, signal) };
  });
  const { base, servesTuned } = await faultsOf('model', signal, () => usableModel(config, endpoints, signal));
  await writeDocument(files.config, config);
  const { roles, learning, answer } = methods[config.method];
  return {
    experiment,
    agents: config.agents,
    iterations: config.iterations,
    roles: roles.map(({ name }) => ({ name })),
    base: untuned(base),
    learners: servesTuned ? learnerGroups(config.agents, learning) : [],
    initFrom: config.init_from,
    begunIn: { ...(await storeIdentity(store)), code: codeHash() },
    ...(searchAttributes ? { searchAttributes } : {}),
    ...(night === null ? {} : { night: plannedNight(night, base) }),
    train: inShards(questions.train, config.shard_size),
    heldout: inShards(questions.heldout, config.shard_size),
    transfer: transfer.map(({ name, size }) => ({ name, ...inShards(size, config.shard_size) })),
    diversity: config.diversity.questions > 0,
    equalTokens: config.equal_tokens && answer === 'debate' && config.rounds > 1,
  };
}

/** @throws InvalidConfig when this worker has no trainer of that name */
function requireTrainer(name: string | undefined, trainers: Dependencies['trainers']): void {
  try {
    trainers.for(name);
  } catch (error) {
    if (error instanceof TrainerUnknown)
      throw new InvalidConfig([{ path: 'trainer', message: error.message }]);
    throw error;
  }
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
        message: `is ${JSON.stringify(given)}, but the workflow id is ${experiment}, and that is the experiment's name`,
      },
    ]);
  }
}

/** The same name continues with the same config only. There may be more iterations, and another trainer. */
function requireSameConfig(
  experiment: string,
  begun: ExperimentConfig,
  config: ExperimentConfig,
  files: ExperimentFiles,
): void {
  const differences = experimentDifference(begun, config).filter(({ path }) => path !== 'iterations');
  if (differences.length === 0) return;
  throw new InvalidConfig(
    differences.map(({ path, before, after }) => ({
      path,
      message: `${experiment} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}: give this experiment another name, or remove ${files.folder.where}`,
    })),
  );
}

/** The experiment's base model, whose endpoint answers, and whether that serves what is fine-tuned on it. */
async function usableModel(
  config: ExperimentConfig,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<{ base: BaseModel; servesTuned: boolean }> {
  const { endpoint: name, model_name_or_path: model } = config.model;
  const endpoint = endpoints.for({ endpoint: name, name: model });
  if (config.iterations > 0 && !endpoint.servesTuned) {
    const message = `${name} serves no fine-tuned models: take an endpoint of kind local or vllm, or iterations: 0 to measure the base model alone`;
    throw new InvalidConfig([{ path: 'model.endpoint', message }]);
  }
  await endpoint.check(signal);
  return { base: await identifyBaseModel(name, model), servesTuned: endpoint.servesTuned };
}

/** A failure to get the questions or the engine ends the run at once: the person who starts it is still there to read it. */
async function faultsOf<Result>(
  path: 'task' | 'model',
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const ofStore =
      error instanceof DiskFull || error instanceof StoreNotWritable || error instanceof SeriesDamaged;
    if (signal.aborted || ofStore || error instanceof InvalidConfig || !(error instanceof Error)) throw error;
    throw new InvalidConfig([{ path, message: `${error.name}: ${error.message}` }]);
  }
}

async function questionsOf(
  load: () => Promise<TaskData>,
  experiment: string,
  files: ExperimentFiles,
  begun: boolean,
): Promise<{ train: number; heldout: number }> {
  const [train, gold, heldout] = await Promise.all(
    [files.questions('train'), files.goldLabels, files.questions('heldout')].map((path) => findRows(path)),
  );
  // Without a config they are left over from a start that failed, perhaps with another config.
  if (begun && train && gold && heldout) return { train: train.rows, heldout: heldout.rows };
  const task = await load();
  // A reader of the result has to know which questions were not asked; the log alone is not enough.
  await writeDocument(files.leftOut, { formatVersion: 1, leftOut: task.leftOut });
  for (const each of task.leftOut) emit('questions left out', { experiment, ...each });
  await writeRows(files.questions('train'), task.train);
  await writeRows(files.goldLabels, task.trainLabels);
  await writeRows(files.questions('heldout'), task.heldOut);
  return { train: task.train.length, heldout: task.heldOut.length };
}

async function transferTasks(
  { transfer, seed }: ExperimentConfig,
  files: ExperimentFiles,
  begun: boolean,
  tasks: Tasks,
  signal: AbortSignal,
): Promise<{ name: string; size: number }[]> {
  const sizes = [];
  for (const [name, task] of Object.entries(transfer)) {
    const path = files.questions(`transfer-${name}`);
    const known = begun ? await findRows(path) : null;
    const { rows } = known ?? (await writeRows(path, await loadHeldOut(tasks.open(task), seed, signal)));
    sizes.push({ name, size: rows });
  }
  return sizes;
}

function inShards(questions: number, shardSize: number): Extent {
  return { questions, shards: Math.ceil(questions / shardSize) };
}
