import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { ModelFolderMissing, resolveModel } from '../../src/engines/endpoint/base-model.ts';

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
  ])('is told to be missing when it is neither: %s', (name) => {
    expect(() => resolveModel(name)).toThrow(ModelFolderMissing);
  });
});
