import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../../src/config/installation.ts';
import { distilledModelOf, finishedIteration } from '../../src/export/finished-iteration.ts';
import { exportMerged, exportModels } from '../../src/export/models.ts';
import { ModelPruned } from '../../src/store/errors.ts';
import { pruneModel } from '../../src/store/models.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import type { NightPlan } from '../../src/store/series.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { writeExportableExperiment, writeModel } from './exportable-experiment.ts';

const store = openStore(temporaryFolder());
const outside = temporaryFolder();
const key = (letter: string) => letter.repeat(64);

describe('exported whole models', () => {
  it('are copied, alone or all of them, with cards that say what they are; those that were removed are named', async () => {
    for (const letter of ['1', '2']) writeModel(store, key(letter), `weights ${letter}`, null, 'full');
    await writeExportableExperiment(store, 'whole', {
      iterations: 2,
      modelOf: (iteration, agent, role) =>
        agent === 1 && role === 'generation' ? key(String(iteration)) : null,
    });
    await pruneModel(store, key('1'));
    const done = await finishedIteration(store, 'whole', undefined);
    const [all, one] = [join(outside, 'whole'), join(outside, 'one')];
    await exportModels(store, done, all);
    await exportMerged(store, done, { agent: 1 }, one);
    for (const folder of [join(all, 'agent-1-generation'), one]) {
      expect(await readFile(join(folder, 'model.safetensors'), 'utf8')).toBe('weights 2');
      const card = await readFile(join(folder, 'README.md'), 'utf8');
      expect(card).toContain('library_name: transformers');
      expect(card).toMatch(
        /generation model of agent 1 of 3, as iteration 2 left it: `.*` with all its weights fine-tuned/,
      );
    }
    const first = await finishedIteration(store, 'whole', 1);
    await expect(exportModels(store, first, join(outside, 'first'))).rejects.toBeInstanceOf(ModelPruned);
  });
});

describe('exported models', () => {
  it('are the adapters that the agents have after the iteration, whichever iteration made them', async () => {
    for (const letter of ['a', 'b', 'c']) writeModel(store, key(letter), `weights ${letter}`);
    await writeExportableExperiment(store, 'done', {
      iterations: 2,
      modelOf: (iteration, agent, role) => {
        if (agent === 1 && role === 'generation') return iteration === 1 ? key('a') : key('b');
        // Nothing to learn from in the second iteration.
        return agent === 1 && iteration === 1 ? key('c') : null;
      },
    });
    const path = join(outside, 'done');
    const exported = await exportModels(store, await finishedIteration(store, 'done', undefined), path);
    expect(exported).toEqual({
      models: ['agent-1-generation', 'agent-1-critic'],
      stillBase: ['agent-2-generation', 'agent-2-critic', 'agent-3-generation', 'agent-3-critic'],
    });
    const weights = (name: string) => readFile(join(path, name, 'adapter_model.safetensors'), 'utf8');
    expect(await weights('agent-1-generation')).toBe('weights b');
    expect(await weights('agent-1-critic')).toBe('weights c');
    expect((await readdir(join(path, 'agent-1-critic'))).toSorted()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
    const card = await readFile(join(path, 'agent-1-critic', 'README.md'), 'utf8');
    expect(parse(card.split('---\n')[1] ?? '')).toMatchObject({
      base_model: 'engine/models/tiny-arithmetic',
      library_name: 'peft',
      tags: expect.arrayContaining(['lora']),
      'model-index': [{ results: [{ metrics: [{ value: 0.5 }, { value: 0.5 }, { value: 0.75 }] }] }],
    });
    for (const words of [
      'trained in iteration 1',
      'learning_rate: 0.0008',
      '0.2500',
      'on 4 rows',
      '| iteration 2 | 50.0 ±25.0 | 50.0 ±25.0 | 75.0 ±25.0 |',
      // Absolute, so that the code runs from any folder.
      `adapter = ${JSON.stringify(join(path, 'agent-1-critic'))}`,
      `base = ${JSON.stringify(join(projectRoot, 'engine/models/tiny-arithmetic'))}`,
      'PeftModel.from_pretrained',
      // The least that vLLM allows for rank 12.
      '--max-lora-rank 16',
    ])
      expect(card).toContain(words);
  });

  it('of a night that taught nothing are those that it began with', async () => {
    writeModel(store, key('d'), 'weights of the night before');
    await writeExportableExperiment(store, 'night');
    const plan: NightPlan = {
      formatVersion: 1,
      series: 'nightly',
      configSha256: 'none',
      head: 1,
      start: {
        night: 'night-before',
        agents: [{ number: 2, models: { generation: key('d'), critic: null } }],
        evaluated: null,
      },
      position: 0,
      asked: [],
    };
    await writeDocument(experimentFiles(store, 'night').nightPlan, plan);
    const path = join(outside, 'night');
    const { models } = await exportModels(store, await finishedIteration(store, 'night', 1), path);
    expect(models).toEqual(['agent-2-generation']);
    expect(await readFile(join(path, 'agent-2-generation', 'README.md'), 'utf8')).toContain(
      'older than the experiment',
    );
  });

  it('are not written when one is damaged: the error names the file', async () => {
    writeModel(store, key('e'), 'weights');
    await writeFile(join(store.model(key('e')).where, 'adapter_model.safetensors'), 'weighs');
    await writeExportableExperiment(store, 'damaged', { modelOf: () => key('e') });
    const path = join(outside, 'damaged');
    await expect(exportModels(store, await finishedIteration(store, 'damaged', 1), path)).rejects.toThrow(
      /adapter_model\.safetensors is damaged/,
    );
    expect(existsSync(path)).toBe(false);
  });

  it('are not written when one is gone', async () => {
    await writeExportableExperiment(store, 'gone', { modelOf: () => key('9') });
    await expect(
      exportModels(store, await finishedIteration(store, 'gone', 1), join(outside, 'gone')),
    ).rejects.toMatchObject({ name: 'ArtifactMissing', path: store.model(key('9')).where });
  });

  it('are none while every model is still the base model', async () => {
    await writeExportableExperiment(store, 'untrained');
    await expect(
      exportModels(store, await finishedIteration(store, 'untrained', 1), join(outside, 'untrained')),
    ).rejects.toThrow('every model is still the base model');
  });
});

describe('the exported one model of a group', () => {
  it('is its adapter, with a card that says what it learnt from and how it does beside the debate', async () => {
    await writeExportableExperiment(store, 'one', { distilled: key('d') });
    writeModel(store, key('d'), 'distilled weights');
    const done = await finishedIteration(store, 'one', undefined);
    const folder = join(outside, 'distilled');
    const { models } = await exportModels(store, done, folder, [await distilledModelOf(done)]);
    expect(models).toEqual(['distilled']);
    const file = (name: string) => readFile(join(folder, 'distilled', name), 'utf8');
    expect(await file('adapter_model.safetensors')).toBe('distilled weights');
    const card = await file('README.md');
    expect(card).toContain('# one, iteration 1: the group as one model');
    expect(card).toContain(
      'the one model that 3 agents were distilled into; it learnt from the answers of agent 3',
    );
    expect(card).toContain("TRL's `DPOTrainer`");
    expect(card).toContain('from the base model.');
    expect(card).toMatch(/this model, asked once\s*\|\s*100\.0 \(51\.0–100\.0\)/);
    expect(card).toMatch(/the group's debate\s*\|\s*75\.0 ±25\.0/);
    expect(parse(card.split('---\n')[1] ?? '')).toMatchObject({
      library_name: 'peft',
      'model-index': [{ results: [{ metrics: [{ type: 'accuracy', name: 'accuracy', value: 1 }] }] }],
    });
  });

  it('is none where the group was not distilled', async () => {
    await writeExportableExperiment(store, 'several');
    const done = await finishedIteration(store, 'several', undefined);
    await expect(distilledModelOf(done)).rejects.toThrow(
      'several was not distilled into one model after iteration 1',
    );
  });
});
