/** Which agents does a config have, which base models answer for them and for the summariser, and what does the name of a base model stand for? */
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { methods } from '../algorithm/methods.ts';
import { listed } from '../text/figures.ts';
import { agentCount, embeddedModel, type ExperimentConfig } from './experiment.ts';
import type { ConfigFault } from './faults.ts';
import type { samplingSchema } from './server-contract.ts';
import type { EndpointConfig } from './endpoints.ts';
import { ownFolder, projectRoot } from './installation.ts';
import { pathExists } from './load.ts';

export type ModelSettings = ExperimentConfig['model'];
/** With one temperature. */
export type SamplingSettings = z.infer<typeof samplingSchema>;

/** An agent, or the summariser: who answers in a debate, and how. */
export type Speaker = {
  readonly model: ModelSettings;
  readonly sampling: SamplingSettings;
  /** Where the config names the model: `model`, or for example `agents.1.model` for agent 2. */
  readonly path: string;
};

type ConfigOfAgents = Pick<ExperimentConfig, 'agents' | 'model' | 'sampling'>;

/** The agents in the order of their numbers: each with its own settings, laid over `model` and `sampling`. A plain number means equal agents. */
export function agentsOf(config: ConfigOfAgents): readonly Speaker[] {
  return Array.from({ length: agentCount(config) }, (_, index) => agentOf(config, index + 1));
}

/** The one summariser of all agents (section 2.1 of the paper). It is like agent 1 where `summarizer` does not set anything else. */
export function summarizerOf(config: ConfigOfAgents & Pick<ExperimentConfig, 'summarizer'>): Speaker {
  return overridden(agentOf(config, 1), config.summarizer ?? {}, 'summarizer.model');
}

function overridden(
  speaker: Speaker,
  { model = {}, sampling = {} }: NonNullable<ExperimentConfig['summarizer']>,
  path: string,
): Speaker {
  const { temperature = speaker.sampling.temperature, ...sampled } = sampling;
  return {
    model: { ...speaker.model, ...model },
    sampling: { ...speaker.sampling, ...sampled, temperature: temperatureOf(temperature) },
    path: Object.keys(model).length === 0 ? speaker.path : path,
  };
}

/** @param number 1..N. Further voters have higher numbers, and are the agents in turn. @throws RangeError */
export function agentOf({ agents, model, sampling }: ConfigOfAgents, number: number): Speaker {
  const index = (number - 1) % agentCount({ agents });
  const own = typeof agents === 'number' ? {} : agents[index];
  if (own === undefined || !Number.isInteger(index) || index < 0)
    throw new RangeError(`There is no agent ${number}.`);
  const shared = { ...sampling, temperature: temperatureOf(sampling.temperature) };
  return overridden({ model, sampling: shared, path: 'model' }, own, `agents.${index}.model`);
}

/** One temperature, or one for the training debates of each iteration. */
type Temperatures = ExperimentConfig['sampling']['temperature'];

/** @param iteration 1..L for its training debates; otherwise what is measured, which has the last value */
function temperatureOf(given: Temperatures, iteration = Infinity): number {
  if (typeof given === 'number') return given;
  return given[Math.min(iteration, given.length) - 1] ?? 1;
}

/** A config with the temperatures of an iteration's training debates. */
export function inTraining(config: ExperimentConfig, iteration: number): ExperimentConfig {
  const at = <Sampling extends { readonly temperature?: Temperatures }>(sampling: Sampling): Sampling =>
    sampling.temperature === undefined
      ? sampling
      : { ...sampling, temperature: temperatureOf(sampling.temperature, iteration) };
  const own = <Own extends { readonly sampling?: { readonly temperature?: Temperatures } }>(each: Own): Own =>
    each.sampling === undefined ? each : { ...each, sampling: at(each.sampling) };
  const { agents, sampling, summarizer } = config;
  return {
    ...config,
    sampling: at(sampling),
    agents: typeof agents === 'number' ? agents : agents.map(own),
    ...(summarizer === undefined ? {} : { summarizer: own(summarizer) }),
  };
}

/** How an utterance of a debate is sampled. */
export function samplingOf(
  config: ExperimentConfig,
  { speaker, agent }: { readonly speaker: string; readonly agent: number },
): SamplingSettings {
  return speaker === 'summariser' ? summarizerOf(config).sampling : agentOf(config, agent).sampling;
}

/** Whether a debate has summaries. */
export function hasSummaries(config: Pick<ExperimentConfig, 'summarize' | 'rounds' | 'agents'>): boolean {
  return config.summarize && config.rounds > 1 && agentCount(config) > 1;
}

/** One of the base models of an experiment: an endpoint and a name. */
export type BaseModelOfConfig = {
  readonly model: ModelSettings;
  /** Where the config names it first. */
  readonly path: string;
  /** The numbers of the agents that have it; none when only the summariser has it. */
  readonly agents: readonly number[];
  readonly summarises: boolean;
  /** The largest `max_tokens` of those who answer with it. */
  readonly maxTokens: number;
  /** The values of `enable_thinking` with which it is asked, each once. */
  readonly thinking: readonly SamplingSettings['enable_thinking'][];
};

/** Each base model that is asked in an experiment, once: in the order of the agents, then the summariser's. */
export function baseModelsOf(config: ExperimentConfig): readonly BaseModelOfConfig[] {
  const speakers = [
    ...agentsOf(config).map((speaker, index) => ({ ...speaker, agents: [index + 1], summarises: false })),
    ...(hasSummaries(config) ? [{ ...summarizerOf(config), agents: [], summarises: true }] : []),
  ];
  const found = new Map<string, BaseModelOfConfig>();
  for (const speaker of speakers) {
    const id = JSON.stringify([speaker.model.endpoint, speaker.model.model_name_or_path]);
    const { model, path, sampling } = speaker;
    const known = found.get(id) ?? { model, path, agents: [], summarises: false, maxTokens: 0, thinking: [] };
    found.set(id, {
      ...known,
      agents: [...known.agents, ...speaker.agents],
      summarises: known.summarises || speaker.summarises,
      maxTokens: Math.max(known.maxTokens, sampling.max_tokens),
      thinking: [...new Set([...known.thinking, sampling.enable_thinking])],
    });
  }
  return [...found.values()];
}

/** The iterations in which models are trained from a base model: none for the summariser's own. */
export function iterationsOf(
  { iterations }: Pick<ExperimentConfig, 'iterations'>,
  { agents }: BaseModelOfConfig,
): { readonly iterations: number } {
  return { iterations: agents.length === 0 ? 0 : iterations };
}

/** A base model of a config, and what was found out about it. */
export type FoundBase<Base> = { readonly of: BaseModelOfConfig; readonly base: Base };

/** The base models by agent. `summariser` is null where it has the base model of agent 1, or where there are no summaries. */
export function byAgent<Base>(found: readonly FoundBase<Base>[]): {
  readonly bases: readonly Base[];
  readonly summariser: Base | null;
} {
  const ofAgents = found.flatMap(({ of, base }) => of.agents.map((agent) => ({ agent, base })));
  const own = found.find(({ of }) => of.summarises && !of.agents.includes(1));
  return {
    bases: ofAgents.toSorted((a, b) => a.agent - b.agent).map(({ base }) => base),
    summariser: own?.base ?? null,
  };
}

/** The base models of the agents by name, for people. */
export function modelNames(config: ConfigOfAgents): string {
  return listed([...new Set(agentsOf(config).map(({ model }) => model.model_name_or_path))]);
}

/** Whether any base model of a config is the embedded one. */
export function asksEmbedded(config: ExperimentConfig): boolean {
  return baseModelsOf(config).some(({ model }) => isEmbedded(model));
}

/** A model that all agents share is trained from one base model, so a method that trains such a model needs agents with the same base model. */
export function sharedModelFaults(config: ExperimentConfig): ConfigFault[] {
  const { learning } = methods[config.method];
  const bases = baseModelsOf(config).filter(({ agents }) => agents.length > 0);
  if (learning?.models !== 'all agents' || config.iterations === 0 || bases.length < 2) return [];
  const named = bases.map(
    ({ model, agents }) =>
      `${model.model_name_or_path} at ${model.endpoint} (${agents.length === 1 ? 'agent' : 'agents'} ${listed(agents.map(String))})`,
  );
  const message =
    `the method ${config.method} trains one model that all agents share, and one model cannot be trained from ${bases.length} base models: ${listed(named)}. ` +
    'Give all agents the same model, take a method that trains models of each agent, such as multiagent-ft, or set iterations: 0';
  return [{ path: 'agents', message }];
}

/** Where a folder of this name would be: absolute, or relative to `ownFolder()`. The embedded model comes with Colloquy's own files. */
export function modelPath(modelNameOrPath: string): string {
  const shipped = resolve(projectRoot, modelNameOrPath);
  return shipped === resolve(projectRoot, embeddedModel) ? shipped : resolve(ownFolder(), modelNameOrPath);
}

/** What Python programs load from any folder: the absolute path of the folder where there is one, else the name itself. */
export function modelLocation(modelNameOrPath: string): string {
  const path = modelPath(modelNameOrPath);
  return pathExists(path) ? path : modelNameOrPath;
}

/** Whether a name has the form NAME or OWNER/NAME: https://huggingface.co/docs/huggingface_hub (validate_repo_id). */
export function isHubId(name: string): boolean {
  return /^[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/.test(name);
}

/**
 * Whether programs on the worker's machine load the experiment's base model: the engine, a vLLM that the worker starts, or the trainer. A
 * server that somebody else started may have any name for its models, and no adapter can be trained for one of kind `openai`.
 */
export function isLoadedHere(
  { iterations }: Pick<ExperimentConfig, 'iterations'>,
  endpoint: EndpointConfig,
): boolean {
  if (endpoint.kind === 'local' || endpoint.url === undefined) return true;
  return endpoint.kind === 'vllm' && iterations > 0;
}

/**
 * Why no program on this machine could load a base model of the experiment; none when one can, or when none has to.
 *
 * @param path of `model` in the config, e.g. `agents.1.model`
 */
export function modelFaults(
  config: Pick<ExperimentConfig, 'iterations'>,
  { model, path: at }: { readonly model: ExperimentConfig['model']; readonly path: string },
  endpoint: EndpointConfig,
): ConfigFault[] {
  if (!isLoadedHere(config, endpoint)) return [];
  const { model_name_or_path: name } = model;
  const fault = (message: string): ConfigFault[] => [{ path: `${at}.model_name_or_path`, message }];
  const path = modelPath(name);
  if (pathExists(path))
    return pathExists(join(path, 'config.json'))
      ? []
      : fault(`the folder ${path} holds no model: it has no config.json`);
  if (isHubId(name)) return [];
  const needed =
    endpoint.kind === 'vllm' && endpoint.url !== undefined
      ? '; the trainer loads the base model on the worker’s machine, even when another machine serves it'
      : '';
  return fault(`there is no folder ${path}, and "${name}" is no hub id such as Qwen/Qwen3-4B${needed}`);
}

/** Whether a base model is the embedded one, in any folder of this machine or another. */
export function isEmbedded({ model_name_or_path }: { readonly model_name_or_path: string }): boolean {
  return lastPart(model_name_or_path) === lastPart(embeddedModel);
}

function lastPart(path: string): string | undefined {
  return path.split(/[\\/]/).findLast((part) => part !== '');
}
