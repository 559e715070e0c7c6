/** What do the models of an experiment need: disk, memory, time? By arithmetic from the architecture of the base model. */
import { join } from 'node:path';
import { z } from 'zod';
import { methods, modelsOfAnIteration } from '../algorithm/methods.ts';
import { type BaseModelOfConfig, baseModelsOf, modelPath } from './agents.ts';
import { agentCount, type ExperimentConfig } from './experiment.ts';
import { pathExists, readYaml } from './load.ts';
import { type Estimate, sum } from './estimate.ts';
import architectures from './architectures.json' with { type: 'json' };

const atMostOne = z.int().max(1).nullish();

/** The part of a model's config.json that its number of parameters follows from: a decoder with gated layers, as most are. */
const architectureSchema = z.object({
  model_type: z.string().optional(),
  hidden_size: z.int().positive(),
  intermediate_size: z.int().positive(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  num_key_value_heads: z.int().positive(),
  head_dim: z.int().positive().nullish(),
  vocab_size: z.int().positive(),
  // A mixture of experts has several of the gated layers' modules: its parameters are not counted here.
  num_local_experts: atMostOne,
  num_experts: atMostOne,
  n_routed_experts: atMostOne,
  tie_word_embeddings: z.boolean().default(false),
});
export type Architecture = z.infer<typeof architectureSchema>;

/** Of the folder that `name` is, or of a known model of the hub (architectures.json); null of all others. */
export function architectureOf(name: string): Architecture | null {
  const known = new Map<string, unknown>(Object.entries(architectures));
  const file = join(modelPath(name), 'config.json');
  return architectureSchema.safeParse(pathExists(file) ? readYaml(file) : known.get(name)).data ?? null;
}

function headSize(of: Architecture): number {
  return of.head_dim ?? of.hidden_size / of.num_attention_heads;
}

/** A kind of linear module of a layer: its name within the layer, and the width of what it reads and writes. */
type Linear = readonly [name: string, read: number, written: number];

function linears(of: Architecture): readonly Linear[] {
  const { hidden_size: hidden, intermediate_size: inner } = of;
  const head = headSize(of);
  const queries = of.num_attention_heads * head;
  const keys = of.num_key_value_heads * head;
  // Phi-3 has one module for the first three, and one for the two of a gated layer.
  if (of.model_type === 'phi3')
    return [
      ['self_attn.qkv_proj', hidden, queries + 2 * keys],
      ['self_attn.o_proj', queries, hidden],
      ['mlp.gate_up_proj', hidden, 2 * inner],
      ['mlp.down_proj', inner, hidden],
    ];
  return [
    ['self_attn.q_proj', hidden, queries],
    ['self_attn.k_proj', hidden, keys],
    ['self_attn.v_proj', hidden, keys],
    ['self_attn.o_proj', queries, hidden],
    ['mlp.gate_proj', hidden, inner],
    ['mlp.up_proj', hidden, inner],
    ['mlp.down_proj', inner, hidden],
  ];
}

/** The parameters of the whole model. Norms of heads and biases, which are below a thousandth, are left out. */
export function parametersOf(of: Architecture): number {
  const embeddings = of.vocab_size * of.hidden_size * (of.tie_word_embeddings ? 1 : 2);
  return embeddings + linearParametersOf(of) + (2 * of.num_hidden_layers + 1) * of.hidden_size;
}

/** The parameters of the linear modules of all layers, which `qlora` has in 4 bits. */
function linearParametersOf(of: Architecture): number {
  return of.num_hidden_layers * sum(linears(of).map(([, read, written]) => read * written));
}

/**
 * The parameters of a LoRA adapter: two matrices of this rank for each linear module that gets one.
 *
 * @param targets `lora_target_modules`: as PEFT reads it, a list has the ends of modules' names, and a text is a regular expression of whole names
 */
export function adapterParametersOf(
  of: Architecture,
  rank: number,
  targets: ExperimentConfig['fine_tune']['lora_target_modules'] = 'all-linear',
): number {
  const isTarget = targetOf(targets);
  const layers = Array.from({ length: of.num_hidden_layers }, (_, layer) =>
    sum(
      linears(of)
        .filter(([name]) => isTarget(`model.layers.${layer}.${name}`))
        .map(([, read, written]) => rank * (read + written)),
    ),
  );
  return sum(layers);
}

function targetOf(targets: string | readonly string[]): (name: string) => boolean {
  if (targets === 'all-linear') return () => true;
  if (typeof targets !== 'string')
    return (name) => targets.some((target) => name === target || name.endsWith(`.${target}`));
  try {
    const whole = new RegExp(`^(?:${targets})$`, 'u');
    return (name) => whole.test(name);
  } catch {
    // Python knows expressions that JavaScript refuses. Then all modules count, which is the largest possible number.
    return () => true;
  }
}

export type ModelNeeds = {
  readonly parameters: number;
  /** Of one fine-tuned model. */
  readonly trainable: number;
  /** Bytes of the finished models that stay when the experiment is done. */
  readonly models: number;
  /** The most bytes that models and checkpoints have at once. */
  readonly disk: number;
  /** Bytes of the device's memory that a fine-tune needs, and that serving the base model needs before any text is read. */
  readonly training: number;
  readonly serving: number;
  /** Of one token of a text that is being answered. */
  readonly perToken: number;
  /** On one H100. */
  readonly seconds: number;
};

const bytesOf = {
  bfloat16: 2,
  float32: 4,
  /** 4 bits, and for each 64 weights a constant of 8 bits, whose own constants are 32 bits for each 256 of them (Dettmers et al., 2023). */
  nf4: (4 + 8 / 64 + 32 / (64 * 256)) / 8,
} as const;
/** AdamW: the weight, its gradient and two moments, each in float32. */
const perTrained = 4 * bytesOf.float32;
/** What a checkpoint has of these: the weight and the two moments. */
const inCheckpoint = 3 * bytesOf.float32;

/**
 * Null for a model whose architecture is not known here.
 *
 * Disk: a finished model is in float32. One checkpoint is written while the one before is still there. With `keep: last` two iterations'
 * models are there at once, as the next ones are trained from them.
 *
 * Training: of each trained weight 16 bytes, of a frozen one 2, or with `qlora` 0.52 in the linear modules of the layers; the activations of a batch of the longest rows (34 bytes for each number
 * of the hidden state in each layer, or 2 with gradient checkpointing and then 34 of one layer: Korthikanti et al., 2022); and its logits
 * in bfloat16, in float32 and with their gradient.
 *
 * Time on one H100: training 6 operations for each parameter and token (4 with LoRA, which needs no gradients of frozen weights; 2 more
 * with gradient checkpointing) at a third of 989 TFLOP/s; answers at 9,000 tokens written a second by 8 G parameters, and reading at half
 * of the peak (docs/reproducing-the-paper.md).
 */
function modelNeeds(
  config: ExperimentConfig,
  { model: base, agents }: BaseModelOfConfig,
  expected: Estimate,
): ModelNeeds | null {
  const of = architectureOf(base.model_name_or_path);
  if (of === null) return null;
  const share = agents.length / agentCount(config);
  const trainedTokens = expected.trainedTokens * share;
  const tokens = { read: expected.tokens.read * share, written: expected.tokens.written * share };
  const {
    method,
    lora_r,
    lora_target_modules: targets,
    gradient_checkpointing: checkpointing,
    ...training
  } = config.fine_tune;
  const parameters = parametersOf(of);
  const trainable = method === 'full' ? parameters : adapterParametersOf(of, lora_r, targets);
  const eachIteration =
    config.iterations === 0 || agents.length === 0
      ? 0
      : modelsOfAnIteration(agents.length, methods[config.method]);
  // It starts at the base model of agent 1, and stays.
  const distilled = config.distill !== undefined && agents.includes(1) ? 1 : 0;
  const kept = (most: number) =>
    eachIteration * (config.keep === 'last' ? most : config.iterations) + distilled;
  const model = trainable * bytesOf.float32;
  const numbers = training.per_device_train_batch_size * training.max_length;
  const layers = checkpointing ? 2 * of.num_hidden_layers + 34 : 34 * of.num_hidden_layers;
  const operations = (method === 'full' ? 6 : 4) + (checkpointing ? 2 : 0);
  return {
    parameters,
    trainable,
    models: kept(1) * model,
    disk:
      kept(Math.min(2, config.iterations)) * model + (eachIteration > 0 ? 2 * trainable * inCheckpoint : 0),
    training:
      trainable * perTrained +
      frozenBytes(of, method) +
      numbers * (of.hidden_size * layers + of.vocab_size * 10),
    serving: parameters * bytesOf.bfloat16,
    perToken: 2 * of.num_hidden_layers * of.num_key_value_heads * headSize(of) * bytesOf.bfloat16,
    seconds:
      (operations * parameters * trainedTokens) / (peak / 3) +
      (tokens.written * parameters) / (9_000 * 8e9) +
      (2 * parameters * tokens.read) / (peak / 2),
  };
}

/** The bytes of the weights that a fine-tune reads and does not change. */
function frozenBytes(of: Architecture, method: ExperimentConfig['fine_tune']['method']): number {
  if (method === 'full') return 0;
  const linear = linearParametersOf(of);
  const rest = parametersOf(of) - linear;
  return rest * bytesOf.bfloat16 + linear * (method === 'qlora' ? bytesOf.nf4 : bytesOf.bfloat16);
}

/** A base model of an experiment, and what it and its fine-tunes need. */
export type NeededModel = {
  readonly name: string;
  readonly endpoint: string;
  /** The numbers of the agents that have it. */
  readonly agents: readonly number[];
  /** Null for a model whose architecture is not known here. */
  readonly needs: ModelNeeds | null;
};

/** What each base model of an experiment needs. */
export function neededModels(config: ExperimentConfig, expected: Estimate): readonly NeededModel[] {
  return baseModelsOf(config).map((of) => ({
    name: of.model.model_name_or_path,
    endpoint: of.model.endpoint,
    agents: of.agents,
    needs: modelNeeds(config, of, expected),
  }));
}

/** The needs of experiments with the same base models, one after another. */
export function neededByAll(all: readonly (readonly NeededModel[])[]): readonly NeededModel[] {
  return (all[0] ?? []).map(({ name, endpoint, agents }) => {
    const same = all.flatMap((models) =>
      models.filter((each) => each.name === name && each.endpoint === endpoint),
    );
    return { name, endpoint, agents, needs: needsOfAll(same.flatMap(({ needs }) => needs ?? [])) };
  });
}

function needsOfAll(all: readonly ModelNeeds[]): ModelNeeds | null {
  const [first] = all;
  if (first === undefined) return null;
  const models = sum(all.map((each) => each.models));
  return {
    ...first,
    models,
    disk: models + Math.max(...all.map((each) => each.disk - each.models)),
    training: Math.max(...all.map(({ training }) => training)),
    seconds: sum(all.map(({ seconds }) => seconds)),
  };
}

/** Operations a second of an H100 in bfloat16. */
const peak = 989e12;
