/** What an experiment needs of a server that the worker starts for it. */
import { totalmem } from 'node:os';
import { methods, modelsOfAnIteration } from '../../algorithm/methods.ts';
import { agentsOf, baseModelsOf, hasSummaries, summarizerOf } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { formOf } from '../../config/fine-tune.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { counted, gibibytes } from '../../text/figures.ts';
import { resolveModel } from '../endpoint/base-model.ts';
import { DevicesUnusable, gpus, modelFacts, type ServingDevice, visibleCards } from './device.ts';

export type ServingNeeds = {
  /** How many adapters answer in the same iteration; 0 when none are trained. */
  readonly adapters: number;
  /** The rank of the adapters; 0 when none are trained. */
  readonly rank: number;
  /** The modules that the adapters change. */
  readonly modules: readonly string[];
  /** The tokens of the longest prompt that a debate is expected to have, and of the answer to it. */
  readonly context: number;
};

/** A question and the instructions around it are taken to have at most this many tokens. */
const questionTokens = 1_024;

/**
 * The names of linear layers in the models that vLLM serves, without the output layer: what `all-linear` means. A name that a model does
 * not have is no harm.
 */
const linearModules = [
  // Llama, Mistral, Qwen, Gemma
  ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  // Phi-3, where they are fused
  ['qkv_proj', 'gate_up_proj'],
  // Phi-2, GPT-NeoX, Falcon, OPT, BLOOM
  ['dense', 'fc1', 'fc2', 'query_key_value', 'dense_h_to_4h', 'dense_4h_to_h', 'out_proj'],
].flat();

/** @param served how many agents have the base model that the server has */
export function servingNeeds(config: ExperimentConfig, served = agentCount(config)): ServingNeeds {
  const { rounds, iterations, max_others: maxOthers, fine_tune: tune } = config;
  const agents = agentCount(config);
  const trained = iterations > 0 && served > 0 ? modelsOfAnIteration(served, methods[config.method]) : 0;
  const adapters = formOf(tune) === 'adapter' ? trained : 0;
  const answer = Math.max(...agentsOf(config).map(({ sampling }) => sampling.max_tokens));
  const others = Math.min(agents - 1, maxOthers) * answer;
  const summarised = hasSummaries(config) && others > 0;
  const written = summarizerOf(config).sampling.max_tokens;
  // In each round but the first, an agent sees the other responses, or a summary of them.
  const seen = (rounds - 1) * (summarised ? written : others);
  const debate = questionTokens + seen + rounds * answer;
  const summary = summarised ? questionTokens + others + written : 0;
  const { lora_target_modules: targets } = tune;
  const modules = targets === 'all-linear' ? linearModules : [targets].flat();
  return {
    adapters,
    rank: adapters === 0 ? 0 : tune.lora_r,
    modules: adapters === 0 ? [] : modules,
    context: Math.max(debate, summary),
  };
}

/** What a server needs that no experiment has told anything: enough for one of the usual size. */
export const usualNeeds: ServingNeeds = { adapters: 6, rank: 16, modules: linearModules, context: 4_096 };

/** The needs of experiments that run at the same time. */
export function together(all: readonly ServingNeeds[]): ServingNeeds {
  if (all.length === 0) return usualNeeds;
  return {
    adapters: all.reduce((sum, { adapters }) => sum + adapters, 0),
    rank: Math.max(...all.map(({ rank }) => rank)),
    modules: [...new Set(all.flatMap(({ modules }) => modules))].toSorted(),
    context: Math.max(...all.map(({ context }) => context)),
  };
}

/** How long an experiment counts after its last step began, once another one begins a step. Milliseconds. */
const expectedForMs = 3_600_000;

/** The needs of the experiments that ask a server. */
export interface Expectations {
  readonly expect: (experiment: string, needs: ServingNeeds) => void;
  /** Of the experiments that have begun a step in the last hour; before the first one, of one of the usual size. */
  readonly wanted: () => ServingNeeds;
}

export function createExpectations(): Expectations {
  const expected = new Map<string, { readonly needs: ServingNeeds; readonly at: number }>();
  return {
    // Time alone takes nothing away: a step may last for hours.
    expect(experiment, needs) {
      expected.set(experiment, { needs, at: Date.now() });
      for (const [name, { at }] of expected) if (at < Date.now() - expectedForMs) expected.delete(name);
    },
    wanted: () => together([...expected.values()].map(({ needs }) => needs)),
  };
}

/** Whether a server that was started for `had` serves `wanted` too. */
export function covers(had: ServingNeeds, wanted: ServingNeeds): boolean {
  return (
    had.adapters >= wanted.adapters &&
    had.rank >= wanted.rank &&
    had.context >= wanted.context &&
    wanted.modules.every((name) => had.modules.includes(name))
  );
}

const ofHost = "this host's memory";

export function deviceName(device: ServingDevice): string {
  if (device.kind === 'cpu') return ofHost;
  return device.devices === null ? 'the graphics card' : `the graphics cards ${device.devices.join(', ')}`;
}

/** A model is larger than the memory of the device that it is to be served on. */
export class DeviceMemoryTooSmall extends ColloquyError {
  override name = 'DeviceMemoryTooSmall' as const;
  // Another process may give its memory back.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly model: string;

  /**
   * @param needs bytes; null when it is not known
   * @param free bytes
   * @param settings of the endpoint that change it
   */
  constructor(
    model: string,
    device: string,
    needs: number | null,
    free: number,
    cause?: string,
    settings = '`devices` (several share a model), a smaller `resident`, or `args`',
  ) {
    super(
      `${model} needs ${needs === null ? 'more memory than there is' : `at least ${gibibytes(needs)} GiB`} of ${device}, and ${gibibytes(free)} GiB are free` +
        `${cause === undefined ? '' : ` (vLLM: ${cause})`}. End what else uses it, take a smaller model, or set ` +
        `${settings} of the endpoint in configs/endpoints.yaml.`,
    );
    this.model = model;
  }
}

type EmbeddedMemory = {
  readonly device: string;
  /** Bytes of the weights. */
  readonly needs: number;
  readonly total: number;
  readonly free: number;
};

/**
 * What an embedded engine of the model needs at least: float32 weights on a CPU, 16 bits on the first card that the worker sees. Null where
 * the weights are in no folder here, or where the cards cannot be found out.
 */
async function embeddedMemory(model: string): Promise<EmbeddedMemory | null> {
  try {
    const [card] = visibleCards(process.env['CUDA_VISIBLE_DEVICES'], await gpus());
    const { weights } = await modelFacts(model, card === undefined);
    if (weights === null) return null;
    return card === undefined
      ? { device: ofHost, needs: weights, total: totalmem(), free: process.availableMemory() }
      : { device: `the graphics card ${card.index}`, needs: weights, total: card.total, free: card.free };
  } catch (error) {
    if (error instanceof DevicesUnusable) return null;
    throw error;
  }
}

/**
 * For the start of an embedded engine.
 *
 * @param model as `resolveModel` gives it
 * @throws DeviceMemoryTooSmall when the model has no room now
 */
export async function requireEmbeddedMemory(model: string): Promise<void> {
  const memory = await embeddedMemory(model);
  if (memory === null || memory.needs <= memory.free) return;
  const { device, needs, free } = memory;
  throw new DeviceMemoryTooSmall(model, device, needs, free, undefined, 'a smaller `resident`');
}

/**
 * What the models of an experiment need that an endpoint of kind `local` has in memory at once, in words. Null where it is not known.
 *
 * @param limits how many base models, and how many models where whole ones are among them
 * @throws ResidentTooLarge when they need more than all the memory of the device
 */
export async function embeddedNeeds(
  config: ExperimentConfig,
  endpoint: string,
  limits: { readonly resident: number; readonly residentWhole: number },
): Promise<string | null> {
  const asked = baseModelsOf(config).filter(({ model }) => model.endpoint === endpoint);
  const whole = config.iterations > 0 && formOf(config.fine_tune) === 'full';
  const found = await Promise.all(
    asked.map(async ({ model, agents }) => {
      const memory = await embeddedMemory(resolveModel(model.model_name_or_path));
      const tuned = whole ? modelsOfAnIteration(agents.length, methods[config.method]) : 0;
      return memory === null ? [] : Array.from({ length: 1 + tuned }, () => memory);
    }),
  );
  const all = found.flat().toSorted((a, b) => b.needs - a.needs);
  const live = all.slice(0, whole ? limits.residentWhole : limits.resident);
  const [first] = live;
  if (first === undefined) return null;
  const needs = live.reduce((sum, each) => sum + each.needs, 0);
  const words = `at least ${gibibytes(needs)} GiB of ${first.device} for ${counted(live.length, 'model')} at a time, of ${gibibytes(first.total)} GiB`;
  if (needs > first.total) throw new ResidentTooLarge(endpoint, words);
  return words;
}

/** The models that an endpoint has in memory at once are larger than all the memory. */
export class ResidentTooLarge extends ColloquyError {
  override name = 'ResidentTooLarge' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;

  constructor(endpoint: string, words: string) {
    super(
      `The endpoint ${endpoint} needs ${words}. Set a smaller \`resident\` in configs/endpoints.yaml, or take a smaller model.`,
    );
  }
}
