/** What an experiment needs of a server that the worker starts for it. */
import { methods, modelsOfAnIteration } from '../../algorithm/methods.ts';
import { agentsOf, hasSummaries, summarizerOf } from '../../config/agents.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { formOf } from '../../config/fine-tune.ts';

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
