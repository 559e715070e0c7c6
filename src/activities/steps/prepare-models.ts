/** Which base models does an experiment have, can their endpoints and its trainer do what it will ask, and are they those with which it began? */
import { randomUUID } from 'node:crypto';
import { type BaseModelOfConfig, baseModelsOf, byAgent, type FoundBase } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
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
import type { Needs, Shortcoming } from '../../engines/endpoint/examination.ts';
import type { Task } from '../../questions/task.ts';
import type { BegunWith } from '../../store/base-model-files.ts';
import { type BaseModel, removeCheckpoints } from '../../store/models.ts';
import type { ExperimentFiles, Store } from '../../store/store.ts';
import type { ColloquyError } from '../../errors.ts';
import { atPlace, type Dependencies, type Running } from '../activity.ts';
import { showFineTune } from '../asking/journalled-answers.ts';
import { type Beginning, recordOf, requireBegunWith } from './begun-with.ts';
import type { AnswerRules, Question } from '../../algorithm/answer.ts';
import { debate } from '../../algorithm/debate.ts';
import { madeUpRows } from '../../algorithm/dataset.ts';
import { methods, modelsOfAnIteration } from '../../algorithm/methods.ts';
import type { Message } from '../../algorithm/agents.ts';
import { templateVariables } from '../../config/server-contract.ts';
import type { Trainers } from '../../engines/trainer/open.ts';
import { readPage } from '../../store/files/rows.ts';
import { heldOutQuestionSchema } from '../../store/records/rows.ts';
import { debateSettings } from '../asking/conversation.ts';

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

/**
 * Asks the endpoint of a base model a few short requests of the experiment's own shape.
 *
 * @param files of an experiment whose questions are stored
 * @throws as `Endpoint.examine` does
 */
async function examineEndpoint(
  config: ExperimentConfig,
  asked: BaseModelOfConfig,
  files: ExperimentFiles,
  endpoint: Endpoint,
  answers: AnswerRules,
  store: Store,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const questions = await readPage(files.questions('heldout'), heldOutQuestionSchema, 0, config.shard_size);
  const longest = questions.toSorted((a, b) => b.text.length - a.text.length)[0];
  const needs: Omit<Needs, 'template'> = {
    maxTokens: asked.maxTokens,
    longest: await longestRequest(config, longest ?? { id: 'none', text: 'What is 1+1?' }, answers, asked),
    scores: asked.agents.length > 0 && config.diversity.questions > 0,
  };
  const lacks = new Map<string, Shortcoming>();
  // What the server lacks in all ways of asking is reported once.
  for (const enable_thinking of asked.thinking)
    for (const each of await endpoint.examine(
      { ...needs, template: templateVariables({ enable_thinking }) },
      signal,
    ))
      lacks.set(each.says, each);
  // What ended experiments of this store left on the server, and workers that are gone; what this worker has loaded may be in use.
  await endpoint.unload(
    async (digits, loadedHere) => !loadedHere && (await store.blobs.list(`models/${digits}`)).length > 0,
    signal,
  );
  return [...lacks.values()];
}

/**
 * What the training of a base model cannot use is found now, and not after the debates; and so is what its server cannot load: a made-up adapter of the
 * experiment's rank and modules is written, loaded, asked and unloaded.
 *
 * @throws TrainingImpossible, AdapterNotLoaded, or the errors of the endpoint and the trainer
 */
export async function requireTrainable(
  { method, prompts, rounds, trainer, fine_tune: settings }: ExperimentConfig,
  { model, agents, thinking }: BaseModelOfConfig,
  endpoint: Endpoint,
  trainers: Trainers,
  store: Store,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const { lora_r, lora_alpha } = settings;
  const lora_target_modules = settings.method === 'full' ? null : settings.lora_target_modules;
  const examples = thinking.flatMap((enable_thinking) => {
    const variables = templateVariables({ enable_thinking });
    return madeUpRows(prompts, rounds).map((row) => ({ ...row, ...variables }));
  });
  const quantised = settings.method === 'qlora' ? { load_in_4bit: true } : {};
  const check = { examples, lora_target_modules, ...quantised };
  const chosen = trainers.for(trainer);
  const made = chosen.form(settings);
  // A server that trains is not asked whether others could.
  if (made !== 'hosted' && (await endpoint.checkTraining(check, signal))) return [];
  const name = { name: model.model_name_or_path };
  if (made !== 'adapter') {
    await chosen.check(name, check, signal);
    return [];
  }
  const key = `trial-${randomUUID()}`;
  const folder = store.checkpoints(key);
  try {
    const made_up_adapter = { folder, lora_r, lora_alpha };
    await chosen.check(name, { ...check, made_up_adapter }, signal);
    return [
      ...(await endpoint.tryAdapter(folder, modelsOfAnIteration(agents.length, methods[method]), signal)),
    ];
  } finally {
    await removeCheckpoints(store, key);
  }
}

/** What agents answer in a debate that is held to see its requests. */
const madeUpAnswer = '\\boxed{80808}';

/** Of the requests to a base model in a debate on this question, the one whose prompt has the most answers in it. */
export async function longestRequest(
  config: ExperimentConfig,
  { id, text }: Question,
  answers: AnswerRules,
  { agents: whose, summarises }: Pick<BaseModelOfConfig, 'agents' | 'summarises'>,
): Promise<Needs['longest']> {
  const requests: Needs['longest'][] = [];
  const models = Object.fromEntries(methods[config.method].roles.map(({ name }) => [name, name]));
  const agents = Array.from({ length: agentCount(config) }, (_, index) => ({ number: index + 1, models }));
  const settings = { ...debateSettings(config, 0), stopWhenUnanimous: false };
  await debate(
    { id, text },
    { agents, summariser: 'summariser' },
    settings,
    async ({ speaker, agent, messages }) => {
      if (speaker === 'summariser' ? summarises : whose.includes(agent))
        requests.push({ messages, answers: answersIn(messages) });
      return { text: madeUpAnswer, finishReason: 'stop' };
    },
    answers,
  );
  return requests.reduce((most, each) => (each.answers >= most.answers ? each : most), {
    messages: [{ role: 'user', content: text }],
    answers: 0,
  });
}

function answersIn(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + content.split(madeUpAnswer).length - 1, 0);
}
