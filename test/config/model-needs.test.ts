import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { architectureOf, neededModels, parametersOf } from '../../src/config/model-needs.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { estimate } from '../../src/config/estimate.ts';

const questions = { train: 500, heldOut: 500, transfer: 0, characters: 240 };
const needs = (input: object) => {
  const config = resolveConfig(input);
  return neededModels(config, estimate(config, questions))[0]!.needs!;
};

describe('the parameters of a model, by its architecture,', () => {
  // As their model cards state them, in thousand millions.
  it.each([
    ['microsoft/Phi-3-mini-128k-instruct', 3.82],
    ['microsoft/Phi-4-mini-instruct', 3.84],
    ['mistralai/Mistral-7B-Instruct-v0.2', 7.24],
    ['meta-llama/Meta-Llama-3-8B-Instruct', 8.03],
    ['meta-llama/Llama-3.1-8B-Instruct', 8.03],
    ['Qwen/Qwen3-1.7B', 1.72],
    ['Qwen/Qwen3-4B', 4.02],
    ['Qwen/Qwen3-8B', 8.19],
  ])('of %s are %f G', (name, parameters) => {
    expect(parametersOf(architectureOf(name)!) / 1e9).toBeCloseTo(parameters, 2);
  });

  it('of the embedded model are those in its file', () => {
    expect(parametersOf(architectureOf('engine/models/tiny-arithmetic')!)).toBe(946_720);
  });

  it('of a model that is not known here are unknown', () => {
    const config = resolveConfig({ preset: 'paper', model: 'somebody/something' });
    expect(neededModels(config, estimate(config, questions))[0]!.needs).toBeNull();
  });
});

describe('the architecture in the config.json of a folder', () => {
  const dense = {
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    vocab_size: 100,
  };
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-architecture-'));
  const read = (change: object) => {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...dense, ...change }));
    return architectureOf(folder);
  };

  it.each([{}, { num_local_experts: 1 }, { num_experts: null }, { head_dim: null }])(
    'is known of a dense model: %j',
    (change) => expect(read(change)).toMatchObject(dense),
  );

  it.each([
    { num_attention_heads: 0 },
    { hidden_size: -64 },
    { head_dim: 0 },
    { num_local_experts: 8 },
    { num_experts: 128 },
    { n_routed_experts: 64 },
  ])('is not known with %j', (change) => expect(read(change)).toBeNull());
});

describe('what the models of an experiment need', () => {
  const phi = 'microsoft/Phi-3-mini-128k-instruct';
  it('is four bytes a weight for each whole model that stays, and three numbers of each weight in two checkpoints', () => {
    const { parameters, trainable, models, disk } = needs({
      preset: 'paper-full',
      model: phi,
      iterations: 5,
    });
    expect(trainable).toBe(parameters);
    expect(models).toBe(6 * 4 * parameters);
    expect(disk).toBe(2 * 6 * 4 * parameters + 2 * 12 * parameters);
    expect(needs({ preset: 'paper-full', model: phi, iterations: 5, keep: 'all' }).models).toBe(5 * models);
    // The one model of the group is one more.
    expect(needs({ preset: 'paper-full', model: phi, distill: {} }).models).toBe(models + 4 * parameters);
  });

  it('is some 61 GB of memory for the weights of Phi-3-mini when all are trained, and a fraction of it with LoRA', () => {
    const full = needs({ preset: 'paper-full', model: phi });
    const lora = needs({ preset: 'paper', model: phi });
    expect(16 * full.parameters).toBeGreaterThan(61e9);
    expect(full.training).toBeGreaterThan(16 * full.parameters);
    // In each of 32 layers, 16 rows and 16 columns for its four linear modules.
    expect(lora.trainable).toBe(32 * 16 * (3072 + 9216 + (3072 + 3072) + (3072 + 16384) + (8192 + 3072)));
    expect(lora.training).toBeLessThan(full.training);
  });

  it.each([
    [['qkv_proj'], 32 * 16 * (3072 + 9216)],
    [['o_proj', 'down_proj'], 32 * 16 * (3072 + 3072 + (8192 + 3072))],
    [['model.layers.3.mlp.down_proj', 'no_such_module'], 16 * (8192 + 3072)],
    ['.*\\.layers\\.\\d\\.self_attn\\.o_proj', 10 * 16 * (3072 + 3072)],
    // Only Python knows this expression: the most that it can be.
    ['(?P<name>.*)_proj', 32 * 16 * (3072 + 9216 + (3072 + 3072) + (3072 + 16384) + (8192 + 3072))],
  ])('counts the adapters of lora_target_modules: %j', (targets, trainable) => {
    const found = needs({ preset: 'paper', model: phi, fine_tune: { lora_target_modules: targets } });
    expect(found.trainable).toBe(trainable);
    const all = needs({ preset: 'paper', model: phi });
    expect(all.training - found.training).toBe(16 * (all.trainable - trainable));
  });

  it('is about half a byte for each weight of a linear module with qlora', () => {
    const lora = needs({ preset: 'paper', model: phi });
    const qlora = needs({ preset: 'paper', model: phi, fine_tune: { method: 'qlora' } });
    expect(qlora).toMatchObject({ trainable: lora.trainable, disk: lora.disk, serving: lora.serving });
    const linear = 32 * (3072 * 9216 + 3072 * 3072 + 3072 * 16384 + 8192 * 3072);
    expect((lora.training - qlora.training) / linear).toBeCloseTo(2 - 4.127 / 8, 3);
  });

  it('is nothing on disk when nothing is trained', () => {
    expect(needs({ preset: 'paper', model: phi, method: 'debate' })).toMatchObject({ models: 0, disk: 0 });
  });
});

describe('the table of the presets in docs/reproducing-the-paper.md', () => {
  const docs = readFileSync(join(projectRoot, 'docs/reproducing-the-paper.md'), 'utf8');
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);

  it.each([
    'phi-3-mini',
    'mistral-7b',
    'llama-3-8b',
    'llama-3.1-8b',
    'phi-4-mini',
    'qwen3-1.7b',
    'qwen3-4b',
    'qwen3-8b',
  ])('has what %s needs, as the arithmetic gives it', (preset) => {
    const { model } = resolveConfig({ preset });
    const { parameters, training, serving, disk, seconds } = needs({ preset });
    const cells = [
      `\`${preset}\``,
      model.model_name_or_path,
      (parameters / 1e9).toFixed(2),
      gigabytes(training),
      gigabytes(serving),
      gigabytes(disk),
      String(Math.round(seconds / 60)),
    ];
    expect(docs).toContain(`| ${cells.join(' | ')} |`);
  });
});
