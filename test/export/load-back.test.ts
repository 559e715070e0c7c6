/** Exports loaded back by the libraries that they are made for: datasets, TRL and peft, on the embedded model. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainerSettingsSchema } from '../../src/config/contract.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { createTrainerProcess } from '../../src/engines/process/trainer-process.ts';
import { exportDatasets } from '../../src/export/datasets.ts';
import {
  agentModelsAfter,
  distilledModelOf,
  finishedIteration,
} from '../../src/export/finished-iteration.ts';
import { exportMerged, exportModels } from '../../src/export/models.ts';
import { datasetFormats } from '../../src/export/rows.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import type { BegunWith } from '../../src/store/base-model-files.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { warmPython } from '../support/warm-python.ts';
import { writeExportableExperiment } from './exportable-experiment.ts';
import { shortAnswers } from '../../src/algorithm/answer.ts';

const store = openStore(temporaryFolder());
// The library `datasets` takes `[`, `]` and `?` in the path of a folder for patterns.
const exports = temporaryFolder('colloquy-exports-');
const base = join(projectRoot, 'engine/models/tiny-arithmetic');
const [python, ...warm] = await warmPython();
const trainer = createTrainerProcess({
  command: [python, ...warm, join(projectRoot, 'engine/train.py')],
  logFolder: store.logs,
  gate: createGpuGate(),
  args: ['--threads', '1'],
});
afterAll(() => trainer.close());

type Subset = { rows: number; conversational: boolean; first: Record<string, string> };
type LoadedBack = {
  trl: Record<string, Subset>;
  openai: Record<string, Subset>;
  dpo: Record<string, Subset>;
  all_rows: number;
  card: { configs: { config_name: string }[] };
  sft: { learnt: string; loss: number };
  sft_on_chats: number;
  dpo_loss: number;
  models: Record<string, { moved: number; base_model: string; library_name: string; evaluation: number[] }>;
};
let loaded: LoadedBack;
const written: Record<string, { file: string; rows: number }[]> = {};

beforeAll(async () => {
  const key = 'a'.repeat(64);
  await writeExportableExperiment(store, 'real', {
    modelOf: (_, agent, role) => (agent === 1 && role === 'critic' ? key : null),
    distilled: key,
  });
  await trainer.fineTune(
    {
      id: 'critic',
      base_model: base,
      init_model: null,
      dataset: experimentFiles(store, 'real').dataset(1, 1, 'critic').where,
      output_dir: store.model(key).where,
      checkpoint_dir: store.checkpoints(key),
      seed: 1,
      settings: trainerSettingsSchema.parse({ learning_rate: 1e-3, gradient_accumulation_steps: 1 }),
    },
    { signal: new AbortController().signal },
  );
  const done = await finishedIteration(store, 'real', undefined);
  for (const format of datasetFormats)
    written[format] = await exportDatasets(
      format,
      done,
      join(exports, format),
      shortAnswers((a, b) => a === b),
    );
  const all = [...(await agentModelsAfter(done)), await distilledModelOf(done)];
  await exportModels(store, done, join(exports, 'models'), all);
  const program = fileURLToPath(new URL('load_back.py', import.meta.url));
  const { stdout, stderr, status } = spawnSync(python, [...warm, program, base, exports], {
    encoding: 'utf8',
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      HF_HOME: join(exports, 'hf'),
      TOKENIZERS_PARALLELISM: 'false',
    },
  });
  if (status !== 0) throw new Error(stderr);
  loaded = JSON.parse(stdout.trim().split('\n').at(-1)!);
}, 600_000);

describe('datasets loaded back by load_dataset', () => {
  it.each(datasetFormats)(
    'of the form %s have a subset for each file with its rows, and one of all',
    (format) => {
      const full = written[format]!.filter(({ rows }) => rows > 0);
      const counts = Object.entries(loaded[format]).map(([name, { rows }]) => [name, rows]);
      expect(Object.fromEntries(counts)).toEqual({
        all: full.reduce((sum, { rows }) => sum + rows, 0),
        ...Object.fromEntries(full.map(({ file, rows }) => [file.replace('.jsonl', ''), rows])),
      });
      expect(Object.values(loaded[format]).every(({ conversational }) => conversational)).toBe(true);
    },
  );

  it('are all rows when no subset is named, and have a card that huggingface_hub reads', () => {
    expect(loaded.all_rows).toBe(loaded.trl['all']!.rows);
    expect(loaded.card.configs.map(({ config_name: name }) => name)).toEqual(Object.keys(loaded.trl));
  });

  // The first question is 2+3*2-4; the first corrected one 2+3*3-4, on which agent 1 first said one more.
  it("are written by the model's own chat template", () => {
    expect(loaded.trl['agent-1-critic']!.first).toEqual({
      prompt: String.raw`<|user|>2+3*2-4<|end|><|assistant|>\boxed{4}<|end|><|user|>>others<|end|><|assistant|>`,
      completion: String.raw`\boxed{4}<|end|>`,
    });
    expect(loaded.openai['agent-1-generation']!.first).toEqual({
      text: String.raw`<|user|>2+3*2-4<|end|><|assistant|>\boxed{4}<|end|>`,
    });
    expect(loaded.dpo['agent-1']!.first).toEqual({
      prompt: '<|user|>2+3*3-4<|end|><|assistant|>',
      chosen: String.raw`\boxed{7}<|end|>`,
      rejected: String.raw`\boxed{8}<|end|>`,
    });
  });
});

describe("a step of TRL's own trainers", () => {
  it('puts the loss of SFTTrainer on the last response alone', () => {
    expect(loaded.sft.learnt).toBe(String.raw`\boxed{4}<|end|>`);
    expect(loaded.sft.loss).toBeGreaterThan(0);
  });

  it('is also done on chats', () => {
    expect(loaded.sft_on_chats).toBeGreaterThan(0);
  });

  it('of DPOTrainer begins with the loss of a policy that is its own reference: ln 2', () => {
    expect(loaded.dpo_loss).toBeCloseTo(Math.LN2, 3);
  });
});

describe('a merged model', () => {
  it('is a whole model with its tokenizer and a card whose code names it absolutely', async () => {
    const path = join(exports, 'merged');
    const done = await finishedIteration(store, 'real', undefined);
    const merged = await exportMerged(store, done, { agent: 1, role: 'critic' }, path);
    expect(merged).toMatchObject({ model: 'agent-1-critic' });
    expect(readdirSync(path)).toEqual(
      expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json', 'README.md']),
    );
    expect(readFileSync(join(path, 'README.md'), 'utf8')).toContain(JSON.stringify(path));
  }, 600_000);

  it('is not made of other weights than those that the adapter was trained on', async () => {
    const path = join(exports, 'merged-into-others');
    const done = await finishedIteration(store, 'real', undefined);
    const name = done.config.model.model_name_or_path;
    const old = { endpoint: 'local', name, revision: null, weights: 'model.safetensors:old' };
    await writeDocument(done.files.begunWith, {
      formatVersion: 1,
      models: [{ base: old, files: {} }],
      questionFiles: {},
      changedQuestionFiles: [],
    } satisfies BegunWith);
    await expect(exportMerged(store, done, { agent: 1, role: 'critic' }, path)).rejects.toThrow(
      /Its weights were model\.safetensors:old when real began, and are model\.safetensors:\w{64} now\. Put the old ones back\./,
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe('models loaded back by peft', () => {
  it('change what the base model says, and have a card that huggingface_hub reads', () => {
    expect(loaded.models).toEqual({
      'agent-1-critic': {
        moved: expect.any(Number),
        base_model: 'engine/models/tiny-arithmetic',
        library_name: 'peft',
        evaluation: [0.5, 0.5, 0.75],
      },
      // The one model of the group has a figure of its own.
      distilled: {
        moved: expect.any(Number),
        base_model: 'engine/models/tiny-arithmetic',
        library_name: 'peft',
        evaluation: [1],
      },
    });
    for (const { moved } of Object.values(loaded.models)) expect(moved).toBeGreaterThan(0.01);
  });
});
