import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import {
  identifyBaseModel,
  ModelFolderMissing,
  requireSameWeights,
  resolveModel,
} from '../../src/engines/endpoint/base-model.ts';

describe('the model that model_name_or_path means', () => {
  it('is a folder of the project where there is one', () => {
    const folder = join('engine', 'models', 'tiny-arithmetic');
    expect(resolveModel(folder)).toBe(join(projectRoot, folder));
    expect(resolveModel(join(projectRoot, folder))).toBe(join(projectRoot, folder));
  });

  it.each(['gpt2', 'Qwen/Qwen3-4B', 'HuggingFaceTB/SmolLM2-135M-Instruct'])('is the hub id %s', (id) => {
    expect(resolveModel(id)).toBe(id);
  });

  it.each([
    '/nowhere',
    './nowhere',
    '../nowhere/model',
    'engine/models/tiny-arithmetik',
    '~/model',
    'a model',
  ])('is reported as missing when it is neither: %s', (name) => {
    expect(() => resolveModel(name)).toThrow(ModelFolderMissing);
  });
});

describe('a base model in a folder', () => {
  it('is known by its weights, and is not served once the folder has others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-base-'));
    const weights = join(folder, 'model.safetensors');
    writeFileSync(weights, 'weights');
    const base = await identifyBaseModel('local', folder);
    expect(base).toEqual({
      endpoint: 'local',
      name: folder,
      revision: null,
      weights: expect.stringMatching(/^model\.safetensors:[0-9a-f]{64}$/),
    });
    await requireSameWeights(base);
    writeFileSync(weights, 'other weights');
    await expect(requireSameWeights(base)).rejects.toMatchObject({
      name: 'BaseModelChanged',
      message: expect.stringMatching(/^The weights of .+ Put the old weights back.*under a new name/),
    });
  });

  it('is known by its name where another host keeps the weights', async () => {
    expect((await identifyBaseModel('far', 'Qwen/Qwen3-4B')).weights).toBe('Qwen/Qwen3-4B');
  });

  it('of many files has a short name all the same, as each step of a run carries it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-base-'));
    for (let file = 1; file <= 30; file += 1)
      writeFileSync(join(folder, `model-${file}.safetensors`), `${file}`);
    const { weights } = await identifyBaseModel('local', folder);
    expect(weights).toMatch(/^30 files:[0-9a-f]{64}$/);
  });
});
