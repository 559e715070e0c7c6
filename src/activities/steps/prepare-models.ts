/** Which base models does an experiment have, can it work with each, and are they those with which it began? */
import { baseModelsOf, type BaseModelOfConfig, byAgent, type FoundBase } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { formOf } from '../../config/fine-tune.ts';
import { servingFaults } from '../../config/training-plan.ts';
import {
  filesOfBaseModel,
  identifyBaseModel,
  ModelFolderMissing,
  type KnownBaseModel,
} from '../../engines/endpoint/base-model.ts';
import type { Endpoint } from '../../engines/endpoint/endpoint.ts';
import type { Shortcoming } from '../../engines/endpoint/examination.ts';
import type { Task } from '../../questions/task.ts';
import type { BegunWith } from '../../store/base-model-files.ts';
import type { BaseModel } from '../../store/models.ts';
import type { ExperimentFiles } from '../../store/store.ts';
import type { ColloquyError } from '../../errors.ts';
import { atPlace, type Dependencies, type Running } from '../activity.ts';
import { examineEndpoint, requireTrainable } from '../asking/examine-endpoint.ts';
import { showFineTune } from '../asking/journalled-answers.ts';
import { type Beginning, recordOf, requireBegunWith } from './begun-with.ts';

export type PreparedModels = {
  /** The base model of each agent, in the order of their numbers. */
  readonly bases: readonly BaseModel[];
  /** Null where it is the base model of agent 1, or where there are no summaries. */
  readonly summariser: BaseModel | null;
  /** Whether the endpoints serve fine-tuned models. */
  readonly servesTuned: boolean;
  /** They include what endpoints lack and the experiment can do without. */
  readonly begunWith: BegunWith;
};

/** The place of a fault in the config, which may depend on the error. */
export type PathOfFault = string | ((error: ColloquyError) => string);

type Preparation = {
  readonly experiment: string;
  readonly config: ExperimentConfig;
  /** Its questions are stored. */
  readonly files: ExperimentFiles;
  readonly task: Task;
  /** Null when the experiment was not prepared before. */
  readonly beginning: Beginning | null;
  /** Does a part of the preparation. An error that the config causes becomes a fault at this path. */
  readonly faultsOf: <Result>(path: PathOfFault, work: () => Promise<Result>) => Promise<Result>;
};

/**
 * Looks at each base model of an experiment, one after another: its endpoint knows and serves it, and its fine-tunes can be trained.
 *
 * @throws InvalidConfig, BaseModelChanged, or the errors of endpoints and trainers
 */
export async function prepareModels(
  preparation: Preparation,
  dependencies: ModelDependencies,
  { signal, show }: Pick<Running, 'signal' | 'show'>,
): Promise<PreparedModels> {
  const { experiment, config, beginning, faultsOf } = preparation;
  const { endpoints } = dependencies;
  const asked = baseModelsOf(config);
  const served: Served[] = [];
  for (const of of asked) {
    const { endpoint: name, model_name_or_path: model } = of.model;
    const settingOf = (error: ColloquyError) =>
      `${of.path}.${error instanceof ModelFolderMissing ? 'model_name_or_path' : 'endpoint'}`;
    const endpoint = await faultsOf(settingOf, async () => endpoints.for({ endpoint: name, name: model }));
    // It adds up all base models of the endpoint.
    if (!served.some((each) => each.of.model.endpoint === name))
      await faultsOf(settingOf, async () => endpoint.requireMemory?.(config, name));
    served.push({ of, endpoint });
  }
  const forms = (name: string) =>
    served.find(({ of }) => of.model.endpoint === name)?.endpoint.servesForms ?? [];
  if (config.iterations > 0) {
    const trainer = await faultsOf('trainer', async () => dependencies.trainers.for(config.trainer));
    const faults = [
      ...trainer.faults(config),
      ...servingFaults(config, forms, trainer.form(config.fine_tune)),
    ];
    if (faults.length > 0) throw new InvalidConfig(faults);
  }
  endpoints.expect(experiment, config);
  const found: Prepared[] = [];
  const prepareAll = async (): Promise<void> => {
    for (const each of served) {
      const prepared = () => prepareModel(each, asked.length === 1, preparation, dependencies, signal);
      const { path, model } = each.of;
      const place = `It was about ${path}: ${model.model_name_or_path} at the endpoint ${model.endpoint}.`;
      found.push(asked.length === 1 ? await prepared() : await atPlace(place, prepared));
    }
  };
  // A server that is started for it would take memory that a fine-tune counts on.
  await dependencies.gate.shared(signal, prepareAll, {
    asked: served.map(({ endpoint }) => endpoint),
    onWait: showFineTune(show),
  });
  const record = await recordOf(
    found.map(({ now }) => now),
    config,
    beginning,
  );
  const lacks = found.flatMap(({ of, lacks: own }) =>
    asked.length === 1
      ? own
      : own.map(({ says, remedy }) => ({ says: `${of.model.model_name_or_path}: ${says}`, remedy })),
  );
  const { trainers } = dependencies;
  const form = trainers.has(config.trainer)
    ? trainers.for(config.trainer).form(config.fine_tune)
    : formOf(config.fine_tune);
  return {
    ...byAgent(found),
    servesTuned: served.every(
      ({ of, endpoint }) => of.agents.length === 0 || endpoint.servesForms.includes(form),
    ),
    begunWith: { ...record, endpointLacks: lacks },
  };
}

type ModelDependencies = Pick<Dependencies, 'store' | 'endpoints' | 'trainers' | 'gate'>;
type Served = { readonly of: BaseModelOfConfig; readonly endpoint: Endpoint };
type Prepared = FoundBase<BaseModel> & {
  readonly now: KnownBaseModel;
  readonly lacks: readonly Shortcoming[];
};

/** @param alone whether the experiment has no other base model */
async function prepareModel(
  { of, endpoint }: Served,
  alone: boolean,
  { config, files, task, beginning, faultsOf }: Preparation,
  { store, trainers }: ModelDependencies,
  signal: AbortSignal,
): Promise<Prepared> {
  const base = await faultsOf(of.path, () => usableModel(of.model, endpoint, signal));
  const now = { base, files: await filesOfBaseModel(base) };
  requireBegunWith(beginning, now, files);
  const trains = config.iterations > 0 && of.agents.length > 0;
  const trainable = () => requireTrainable(config, of, endpoint, trainers, store, signal);
  const examined = () => examineEndpoint(config, of, files, endpoint, task.answers, store, signal);
  const lacks = trains ? await faultsOf(alone ? 'fine_tune' : of.path, trainable) : [];
  return { of, base, now, lacks: [...lacks, ...(await faultsOf(of.path, examined))] };
}

/** A base model of the experiment, for which the endpoint answers. */
async function usableModel(
  { endpoint: name, model_name_or_path: model }: ExperimentConfig['model'],
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<BaseModel> {
  const answeredAs = await endpoint.check(signal);
  return { ...(await identifyBaseModel(name, model)), revision: answeredAs };
}
