import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import {
  filesOfBaseModel,
  identifyBaseModel,
  ModelFolderMissing,
  requireSameBaseModel,
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

describe('a base model of a server', () => {
  it('may have any name there', async () => {
    const base = await identifyBaseModel('hosted', 'accounts/one/models/large');
    expect(base).toEqual({
      endpoint: 'hosted',
      name: 'accounts/one/models/large',
      revision: null,
      weights: 'accounts/one/models/large',
    });
    expect(await filesOfBaseModel(base)).toEqual({});
    await requireSameWeights(base);
  });
});

describe('a base model in a folder', () => {
  it('is missing, and not another one, when the folder is gone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-base-'));
    writeFileSync(join(folder, 'model.safetensors'), 'weights');
    const base = await identifyBaseModel('local', folder);
    rmSync(folder, { recursive: true });
    await expect(requireSameWeights(base)).rejects.toBeInstanceOf(ModelFolderMissing);
  });

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
      message: expect.stringMatching(
        /^The base model .+ weights: model\.safetensors:\w{64} then, model\.safetensors:\w{64} now\nPut the old one back .* under a new name/s,
      ),
    });
    writeFileSync(weights, 'weights');
    await requireSameWeights(base);
  });

  it('is known by its tokenizer, template and configuration too, and not by texts about it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-base-'));
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write('model.safetensors', 'weights');
    write('tokenizer.json', '{}');
    const base = await identifyBaseModel('local', folder);
    write('README.md', 'About it');
    await requireSameWeights(base);
    // Of a history that an earlier version has begun, or of a host without the folder.
    const { files: _, ...earlier } = base;
    for (const [name, text] of [
      ['tokenizer.json', '{"version": 2}'],
      ['chat_template.jinja', '{{ messages }}'],
    ] as const) {
      write(name, text);
      await expect(requireSameWeights(base)).rejects.toThrow('tokenizer, chat template or configuration');
      await requireSameWeights(earlier);
      rmSync(join(folder, name));
      write('tokenizer.json', '{}');
      await requireSameWeights(base);
    }
  });

  it('without .safetensors files is known by the other files of its weights', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-base-'));
    writeFileSync(join(folder, 'pytorch_model.bin'), 'weights');
    const base = await identifyBaseModel('local', folder);
    writeFileSync(join(folder, 'pytorch_model.bin'), 'others');
    await expect(requireSameWeights(base)).rejects.toMatchObject({ name: 'BaseModelChanged' });
  });

  it('of the hub is compared by what the cache has of it at both times', async () => {
    const hub = mkdtempSync(join(tmpdir(), 'colloquy-hub-'));
    vi.stubEnv('HF_HUB_CACHE', hub);
    const model = join(hub, 'models--Org--m');
    const cached = (commit: string, blobs: Readonly<Record<string, string>>) => {
      for (const folder of ['refs', 'blobs', `snapshots/${commit}`])
        mkdirSync(join(model, folder), { recursive: true });
      writeFileSync(join(model, 'refs', 'main'), commit);
      for (const [name, blob] of Object.entries(blobs)) {
        writeFileSync(join(model, 'blobs', blob), blob);
        symlinkSync(join(model, 'blobs', blob), join(model, 'snapshots', commit, name));
      }
    };
    const known = async () => {
      const base = await identifyBaseModel('local', 'Org/m');
      return { base, files: await filesOfBaseModel(base) };
    };
    const absent = await known();
    cached('c1', { 'model.safetensors': 'w1', 'README.md': 'r1' });
    const begun = await known();
    expect([absent.files, begun.files]).toEqual([{}, { 'model.safetensors': 'w1' }]);
    requireSameBaseModel(absent, begun, '/runs/x');
    cached('c2', { 'model.safetensors': 'w1', 'README.md': 'r2', 'tokenizer.json': 't1' });
    requireSameBaseModel(begun, await known(), '/runs/x');
    cached('c3', { 'model.safetensors': 'w3' });
    const now = await known();
    expect(() => requireSameBaseModel(begun, now, '/runs/x')).toThrow(
      'The base model Org/m is not the one that this experiment began with:\n  model.safetensors: w1 then, w3 now\n',
    );
    vi.unstubAllEnvs();
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
