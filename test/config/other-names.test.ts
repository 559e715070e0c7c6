import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { resolveStudy } from '../../src/config/study.ts';

describe('names of settings that people know from other programs', () => {
  it('are taken for ours where they are common, beside what a preset has', () => {
    const { model, fine_tune } = resolveConfig({ preset: 'quickstart', model: 'Qwen/Qwen3-4B', lr: 1e-4 });
    expect(model).toEqual({ endpoint: 'local', model_name_or_path: 'Qwen/Qwen3-4B' });
    expect(fine_tune).toMatchObject({ learning_rate: 1e-4, lora_r: 8 });
    expect(resolveConfig({ fine_tune: { lr: 1 } }).fine_tune.learning_rate).toBe(1);
  });

  it('keep the rest of a study’s model when an experiment names another one', () => {
    const experiments = [{ name: 'a', model: 'Qwen/Qwen3-4B' }];
    const study = resolveStudy('s', {
      methods: ['debate'],
      settings: { preset: 'quickstart', model: { endpoint: 'mine' } },
      experiments,
    });
    expect(study.cells[0]?.config.model).toEqual({ endpoint: 'mine', model_name_or_path: 'Qwen/Qwen3-4B' });
  });

  it('are faults that name our setting in all other cases, and beside our own name', () => {
    const faults = (input: object) => {
      try {
        resolveConfig(input);
      } catch (error) {
        return String(error);
      }
      return 'none';
    };
    expect(faults({ epochs: 3 })).toContain(
      'epochs: unknown key; the nearest valid one is fine_tune.num_train_epochs',
    );
    expect(faults({ fine_tune: { batch_size: 3 } })).toContain(
      'fine_tune.batch_size: unknown key; the nearest valid one is per_device_train_batch_size',
    );
    expect(faults({ max_new_tokens: 3 })).toContain('the nearest valid one is sampling.max_tokens');
    expect(faults({ lr: 1, fine_tune: { learning_rate: 1 } })).toContain(
      'lr: unknown key; the nearest valid one is fine_tune.learning_rate',
    );
    expect(faults({ fine_tune: { lr: 1, learning_rate: 1 } })).toContain(
      'fine_tune.lr: unknown key; the nearest valid one is learning_rate',
    );
    // Where the value decides it, the message has the whole setting.
    expect(faults({ fine_tune: { use_peft: false } })).toContain(
      'fine_tune.use_peft: unknown key; write fine_tune.method: full',
    );
    expect(faults({ fine_tune: { use_peft: true } })).toContain('unknown key; write fine_tune.method: lora');
    expect(faults({ use_peft: false })).toContain('use_peft: unknown key; write fine_tune.method: full');
    expect(faults({ load_in_4bit: true })).toContain(
      'load_in_4bit: unknown key; write fine_tune.method: qlora',
    );
    expect(faults({ fine_tune: { 'load-in-4bit': 'true' } })).toContain('write fine_tune.method: qlora');
    expect(faults({ fine_tune: { finetuning_type: 'full' } })).toContain('write fine_tune.method: full');
    expect(faults({ chat_template_kwargs: { enable_thinking: false } })).toContain(
      'chat_template_kwargs: unknown key; write sampling.enable_thinking: false',
    );
    expect(faults({ model: { enable_thinking: false } })).toContain(
      'model.enable_thinking: unknown key; the nearest valid one is sampling.enable_thinking',
    );
    expect(faults({ lora_r: 8 })).toContain('lora_r: unknown key; the nearest valid one is fine_tune.lora_r');
    expect(faults({ fine_tune: { use_peft: 'maybe' } })).toContain(
      'fine_tune.use_peft: unknown key; the nearest valid one is method',
    );
    expect(faults({ lr: 'fast' })).toContain('fine_tune.learning_rate: "fast" was given');
  });
});
