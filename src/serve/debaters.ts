/** The trained agents of an experiment, ready to debate any question: what `colloquy ask` and `colloquy serve` share. */
import { debateSettings, summariserOf } from '../activities/asking/conversation.ts';
import { answerWithinContext } from '../activities/asking/journalled-answers.ts';
import { type Agent, baseAgents, modelOf } from '../algorithm/agents.ts';
import { type Debate, debate, type Speak } from '../algorithm/debate.ts';
import { learnerGroups, methods } from '../algorithm/methods.ts';
import {
  baseModelsOf,
  byAgent,
  type FoundBase,
  hasSummaries,
  samplingOf,
  type SamplingSettings,
} from '../config/agents.ts';
import { type ExperimentConfig, storedConfigSchema } from '../config/experiment.ts';
import type { ModelForm } from '../config/fine-tune.ts';
import { filesOfBaseModel, identifyBaseModel, requireSameBaseModel } from '../engines/endpoint/base-model.ts';
import { configuredEndpoints, type Endpoints } from '../engines/endpoint/open.ts';
import { ExperimentNotInStore } from '../export/errors.ts';
import {
  agentModelsAfter,
  distilledModelOf,
  finishedIteration,
  finishedIterations,
  keptItsStart,
  startingModels,
} from '../export/finished-iteration.ts';
import { createTasks } from '../questions/open-task.ts';
import { readDocument } from '../store/files/documents.ts';
import {
  type BaseModel,
  formInStore,
  type Model,
  requireNotPruned,
  tunedModel,
  untuned,
} from '../store/models.ts';
import { begunWithSchema, recordedModel } from '../store/base-model-files.ts';
import { experimentResultSchema } from '../store/records/result.ts';
import { type ExperimentFiles, experimentFiles, type Store } from '../store/store.ts';

/** The agents of an experiment after an iteration. */
export type Debaters = {
  readonly experiment: string;
  /** 0 is the base model. */
  readonly iteration: number;
  readonly config: ExperimentConfig;
  /** `first vote`: they vote over their first answers and do not debate, because `answer: auto` has found that better. */
  readonly answersBy: 'debate' | 'first vote';
  /** Has every model served, so that the first question need not wait for it. @throws as `Endpoints.serve` does */
  readonly load: (signal: AbortSignal) => Promise<void>;
  /**
   * Debates a question as the experiment's agents do.
   *
   * @throws PromptTooLong, or the errors of the endpoint
   */
  readonly debate: (question: string, options: AskOptions) => Promise<AnsweredDebate>;
  /** Ends the engine, if one was started. */
  readonly close: () => Promise<void>;
};

export type AskOptions = {
  /** Equal questions with equal seeds have equal debates, as far as the engine repeats itself. Default: the experiment's seed. */
  readonly seed?: number | undefined;
  /** Instead of the experiment's own. */
  readonly sampling?: Partial<SamplingSettings> | undefined;
  readonly signal: AbortSignal;
};

/** A debate with the tokens that it took. */
export type AnsweredDebate = Debate & {
  readonly tokens: { readonly prompt: number; readonly completion: number };
};

type Wanted = {
  readonly experiment: string;
  /** Default: the last one of a finished experiment, or the best one by its guard. */
  readonly iteration: number | undefined;
  /** The one model that the group was distilled into, which answers alone. */
  readonly distilled?: boolean | undefined;
};

/**
 * Opens the agents of an experiment. Nothing is started or reached before the first question.
 *
 * @param endpoints the models' endpoints; they are closed with the debaters. Default: the ones of the worker's configuration
 * @throws NotDistilled, ExperimentNotInStore, ExperimentNotFinished, IterationNotFinished, ArtifactMissing, ArtifactDamaged, ModelFolderMissing, ModelPruned
 */
export async function openDebaters(
  store: Store,
  { experiment, iteration: wanted, distilled = false }: Wanted,
  endpoints: Endpoints = configuredEndpoints(store, false),
): Promise<Debaters> {
  const config = await readDocument(experimentFiles(store, experiment).config, storedConfigSchema);
  if (config === null) throw new ExperimentNotInStore(experimentFiles(store, experiment).folder.where);
  const found: FoundBase<BaseModel>[] = [];
  for (const of of baseModelsOf(config)) {
    const base = await identifyBaseModel(of.model.endpoint, of.model.model_name_or_path);
    await requireBaseOf(experimentFiles(store, experiment), base);
    found.push({ of, base });
  }
  const { bases, summariser } = byAgent(found);
  const { iteration, agents } = distilled
    ? await distilledAfter(store, experiment, wanted, bases)
    : await agentsAfter(store, experiment, config, wanted, bases);
  const answersBy = distilled
    ? 'debate'
    : await answerOfExperiment(experimentFiles(store, experiment), config, iteration);
  const cast = {
    agents,
    summariser: summariserOf(agents, summariser === null ? undefined : untuned(summariser)),
  };
  const models = agents.flatMap((agent) => Object.values(agent.models));
  for (const { tuned } of models) if (tuned !== null) await requireNotPruned(store, tuned.key);
  endpoints.expect(experiment, config);
  const tasks = createTasks();
  const { answers } = tasks.open(config.task);
  const rounds = distilled || answersBy === 'first vote' ? 1 : config.rounds;
  const asked = rounds > 1 && hasSummaries(config) ? [...models, cast.summariser] : models;

  return {
    experiment,
    iteration,
    config,
    answersBy,
    load: (signal) => endpoints.serve(asked, signal),
    debate: async (text, { seed = config.seed, sampling = {}, signal }) => {
      await endpoints.serve(asked, signal);
      const tokens = { prompt: 0, completion: 0 };
      const speak = speaker(config, sampling, endpoints, signal, tokens);
      // The draws of a debate after iteration l are those of its evaluation.
      const settings = { ...debateSettings(config, iteration), rounds, seed };
      return { ...(await debate({ id: 'asked', text }, cast, settings, speak, answers)), tokens };
    },
    close: async () => {
      await Promise.allSettled([endpoints.close(), tasks.close()]);
    },
  };
}

/** Of an experiment with `answer: auto`, where it was decided for the agents of this iteration; by debate otherwise. */
async function answerOfExperiment(
  files: ExperimentFiles,
  { answer }: ExperimentConfig,
  iteration: number,
): Promise<Debaters['answersBy']> {
  if (answer !== 'auto') return 'debate';
  const choice = (await readDocument(files.result, experimentResultSchema))?.answer;
  return choice?.iteration === iteration ? choice.by : 'debate';
}

/** An adapter on other weights than those that it was trained on gives answers that mean nothing. @throws BaseModelChanged */
async function requireBaseOf(files: ExperimentFiles, base: BaseModel): Promise<void> {
  const begunWith = await readDocument(files.begunWith, begunWithSchema);
  const begun = recordedModel(begunWith, base);
  if (begun === undefined) return;
  // Which name a hosted model answers under is known only once it has answered.
  const now = { base: { ...base, revision: begun.base.revision }, files: await filesOfBaseModel(base) };
  requireSameBaseModel(begun, now, files.folder.where);
}

/** The one model of the group as an agent that is alone. @throws NotDistilled, and as `finishedIteration` does */
async function distilledAfter(
  store: Store,
  experiment: string,
  wanted: number | undefined,
  [base]: readonly BaseModel[],
): Promise<{ readonly iteration: number; readonly agents: readonly Agent<Model>[] }> {
  const done = await finishedIteration(store, experiment, wanted);
  const { key } = await distilledModelOf(done);
  if (base === undefined) throw new RangeError('An experiment without agents has no base model.');
  const model = tunedModel(base, key, await formInStore(store, key));
  return { iteration: done.iteration, agents: baseAgents([model], methods[done.config.method].roles) };
}

/** The agents with the models that an iteration left them. Agents that share models all have those of the first of them. */
async function agentsAfter(
  store: Store,
  experiment: string,
  config: ExperimentConfig,
  wanted: number | undefined,
  bases: readonly BaseModel[],
): Promise<{ readonly iteration: number; readonly agents: readonly Agent<Model>[] }> {
  const { roles, learning } = methods[config.method];
  const agents = baseAgents(bases.map(untuned), roles);
  const files = experimentFiles(store, experiment);
  // An experiment that only evaluates may have been given iterations later.
  const evaluatesOnly = config.iterations === 0 && (await finishedIterations(files)).length === 0;
  if (evaluatesOnly || wanted === 0) return { iteration: 0, agents };
  const untrained = wanted === undefined && (await keptItsStart(files, config));
  const done = untrained ? null : await finishedIteration(store, experiment, wanted);
  const tuned = done === null ? await startingModels(files) : await agentModelsAfter(done);
  const forms = new Map<string, ModelForm>();
  for (const { key } of tuned) if (key !== null) forms.set(key, await formInStore(store, key));
  const groups = learnerGroups(agents.length, learning);
  return {
    iteration: done?.iteration ?? 0,
    agents: agents.map((agent) => {
      const first = groups.find((group) => group.includes(agent.number))?.[0] ?? agent.number;
      const own = tuned.flatMap(({ agent: number, role, key }) => {
        const form = key === null ? undefined : forms.get(key);
        return number === first && key !== null && form !== undefined
          ? [[role, tunedModel(modelOf(agent, role).base, key, form)] as const]
          : [];
      });
      return { ...agent, models: { ...agent.models, ...Object.fromEntries(own) } };
    }),
  };
}

/**
 * Asks the models, and counts their tokens.
 *
 * @param given replaces the sampling of all agents and of the summariser
 */
function speaker(
  config: ExperimentConfig,
  given: Partial<SamplingSettings>,
  endpoints: Endpoints,
  signal: AbortSignal,
  tokens: { prompt: number; completion: number },
): Speak<Model> {
  return async (utterance) => {
    const endpoint = await endpoints.of(utterance.model);
    const said = await endpoint.slots.use(
      () =>
        answerWithinContext(
          utterance,
          {
            sampling: { ...samplingOf(config, utterance), ...given },
            truncate: config.truncate_dialogues,
          },
          endpoint,
          signal,
        ),
      signal,
    );
    tokens.prompt += said.promptTokens;
    tokens.completion += said.completionTokens;
    return { text: said.text, finishReason: said.finishReason };
  };
}
