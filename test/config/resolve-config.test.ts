import { describe, expect, it } from 'vitest';
import { InvalidConfig } from '../../src/config/faults.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { presets, requireOwnModel, resolveConfig } from '../../src/config/resolve.ts';
import { resolveStudy } from '../../src/config/study.ts';

/** The message with which the input is refused. */
function refusal(input: unknown): string {
  try {
    resolveConfig(input);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.message;
    throw error;
  }
  throw new Error('the input was accepted');
}

describe('resolving the config of an experiment', () => {
  it.each([[undefined], [null], [{}], [{ preset: 'quickstart' }], [{ name: 'mine' }]])(
    'resolves %j to the quickstart',
    (input) => {
      expect(resolveConfig(input)).toMatchObject({
        agents: 3,
        rounds: 2,
        iterations: 3,
        min_votes: 2,
        prompts: 'terse',
        task: { kind: 'arithmetic', form: 'a+b*c-d' },
        model: { endpoint: 'local', model_name_or_path: 'engine/models/tiny-arithmetic' },
        fine_tune: { lora_r: 8, num_train_epochs: 2 },
      });
    },
  );

  it('has the settings that its method fixes, also against the preset', () => {
    expect(resolveConfig({ method: 'majority-ft' })).toMatchObject({ rounds: 1, iterations: 3 });
    expect(resolveConfig({ method: 'debate' })).toMatchObject({ rounds: 2, iterations: 0 });
    expect(resolveConfig({ preset: 'paper', method: 'no-summary' })).toMatchObject({ summarize: false });
    expect(resolveConfig({ method: 'star' })).toMatchObject({ label_source: 'gold' });
    const resolved = resolveConfig({ method: 'base', iterations: 0 });
    expect(resolveConfig({ preset: 'paper', ...resolved })).toEqual(resolved);
  });

  it.each([
    [{ method: 'base', iterations: 2 }, 'iterations: 2 was given, but the method base fixes iterations: 0'],
    [{ method: 'no-summary', summarize: true }, 'summarize: true was given, but the method no-summary'],
    [{ method: 'multi-agent-ft' }, 'the nearest is multiagent-ft'],
  ])('refuses %j', (input, words) => {
    expect(refusal(input)).toContain(words);
  });

  it('of the preset paper demands a model, which the embedded one is not', () => {
    const config = (settings: object) => resolveConfig({ preset: 'paper', ...settings });
    expect(() => requireOwnModel(config({}))).toThrow(/model\.model_name_or_path: missing: .*e\.g\. model\./);
    const named = (model_name_or_path: string) => requireOwnModel(config({ model: { model_name_or_path } }));
    expect(() => named('Qwen/Qwen3-4B')).not.toThrow();
    expect(() => named('models/not-tiny-arithmetic')).not.toThrow();
    for (const folder of [`${projectRoot}/engine/models/tiny-arithmetic`, 'engine/models/tiny-arithmetic/'])
      expect(() => named(folder)).toThrow('the embedded engine/models/tiny-arithmetic does not');
    expect(() => requireOwnModel(resolveConfig({}))).not.toThrow();
  });

  it('has the settings of the paper as its defaults, with a fine-tune for LoRA', () => {
    expect(resolveConfig({ preset: 'paper' })).toEqual({
      method: 'multiagent-ft',
      seed: 0,
      agents: 3,
      rounds: 2,
      iterations: 1,
      summarize: true,
      max_others: 5,
      critic_weight: 0.5,
      critic_mixture: 'sample',
      data_matched: false,
      allow_few_steps: false,
      init_from: 'previous',
      label_votes: 'last',
      min_votes: 1,
      pairs: 'group',
      min_pairs: 50,
      label_weight: 'none',
      label_source: 'consensus',
      train_on_cut_answers: false,
      stop_when_unanimous: false,
      truncate_dialogues: false,
      equal_tokens: true,
      diversity: { questions: 100, encoder: 'ngrams' },
      transfer: {},
      keep: 'all',
      prompts: 'paper',
      shard_size: 32,
      task: {
        kind: 'arithmetic',
        form: 'a+b*c+d-e*f',
        range: [0, 30],
        ranges: {},
        train_size: 500,
        test_size: 500,
      },
      model: { endpoint: 'local', model_name_or_path: 'engine/models/tiny-arithmetic' },
      sampling: { temperature: 1, top_p: 0.9, max_tokens: 2048 },
      fine_tune: {
        learning_rate: 2e-4,
        num_train_epochs: 2,
        per_device_train_batch_size: 4,
        gradient_accumulation_steps: 4,
        lr_scheduler_type: 'cosine',
        warmup_ratio: 0.03,
        weight_decay: 0,
        max_length: 2048,
        save_steps: 50,
        method: 'lora',
        gradient_checkpointing: false,
        lora_r: 16,
        lora_alpha: 32,
        lora_dropout: 0,
        lora_target_modules: 'all-linear',
        objective: 'imitation',
        beta: 0.1,
      },
    });
  });

  it('replaces settings of the preset by the input, object by object', () => {
    const config = resolveConfig({ seed: 7, task: { train_size: 10, ranges: { a: [1, 5] } } });
    expect(config.seed).toBe(7);
    expect(config.task).toMatchObject({ form: 'a+b*c-d', train_size: 10, test_size: 500 });
    expect(config.task).toMatchObject({ ranges: { a: [1, 5], b: [2, 9] } });
  });

  it('replaces the whole task of the preset by a task of another kind', () => {
    const task = { kind: 'jsonl', train_file: 'mine.jsonl' };
    expect(resolveConfig({ task }).task).toEqual(task);
  });

  it('leaves the name out of the settings', () => {
    expect(resolveConfig({ name: 'mine' })).not.toHaveProperty('name');
  });

  it('gives the same for a config that is already resolved', () => {
    const config = resolveConfig({ seed: 3 });
    expect(resolveConfig(config)).toEqual(config);
  });

  it.each([
    [[], 'a list was given ([])'],
    ['x', 'a string was given ("x")'],
    [3, 'a number was given (3)'],
    [true, 'a boolean was given (true)'],
  ])('refuses %j, which is not an object', (input, message) => {
    expect(refusal(input)).toContain(message);
  });

  it.each([
    [{ agnets: 3 }, 'agnets: unknown key; the nearest valid one is agents'],
    [{ task: { train_sise: 3 } }, 'task.train_sise: unknown key; the nearest valid one is train_size'],
    [{ fine_tune: { lora_rank: 3 } }, 'fine_tune.lora_rank: unknown key; the nearest valid one is lora_r'],
    [{ train_size: 3 }, 'train_size: unknown key; the nearest valid one is task.train_size'],
    [{ learning_rate: 1 }, 'learning_rate: unknown key; the nearest valid one is fine_tune.learning_rate'],
    [JSON.parse('{"__proto__":{"seed":1}}'), '__proto__: unknown key'],
    [JSON.parse('{"task":{"ranges":{"__proto__":[0,9]}}}'), 'task.ranges.__proto__: not a valid key'],
    [{ agents: 21 }, 'agents: 21 was given; expected a whole number from 1 to 20'],
    [{ agents: 2.5 }, 'agents: 2.5 was given; expected a whole number from 1 to 20'],
    [{ seed: '1' }, 'seed: "1" was given; expected a whole number from 0 to'],
    [{ rounds: null }, 'rounds: null was given; expected a whole number from 1 to 10'],
    [{ critic_weight: Number.NaN }, 'critic_weight: NaN was given; expected a number from 0 to 1'],
    [{ summarize: 'yes' }, 'summarize: "yes" was given; expected true or false'],
    [{ init_from: 'last' }, 'init_from: "last" was given; expected one of "previous", "base"'],
    [{ sampling: { top_p: 0 } }, 'sampling.top_p: 0 was given; expected a number above 0 and at most 1'],
    [{ sampling: [] }, 'sampling: [] was given; expected an object with temperature, top_p, max_tokens'],
    [{ task: { kind: 'gsm9k' } }, 'task.kind: "gsm9k" was given; expected "arithmetic", or "gsm8k", or'],
    [{ task: { kind: 'gsm9k' } }, '; the nearest is gsm8k'],
    [
      { init_from: 'bass' },
      'init_from: "bass" was given; expected one of "previous", "base"; the nearest is base',
    ],
    [
      { task: { kind: 'math', levels: [6] } },
      'task.levels.0: 6 was given; expected a whole number from 1 to 5',
    ],
    [{ task: { kind: 'gsm8k', levels: [1] } }, 'task.levels: unknown key; the nearest valid one is'],
    [{ task: { kind: 'gsm8k', revision: 'main' } }, 'task.revision: "main" was given; expected a commit'],
    [
      { task: { kind: 'math', decontaminate: [{ kind: 'math50' }] } },
      'task.decontaminate.0.kind: "math50" was given; expected one of "gsm8k", "math", "math-500", "mmlu"; the nearest is math',
    ],
    [
      { task: { kind: 'math', decontaminate: [{ kind: 'mmlu', level: 1 }] } },
      'task.decontaminate.0.level: unknown key',
    ],
    [{ task: { kind: 'math', decontaminate: [3] } }, 'task.decontaminate.0: 3 was given; expected a text'],
    [{ task: { kind: 'jsonl' } }, 'task.train_file: missing: expected a text that is not empty'],
    [{ task: { form: 'a + 3' } }, 'task.form: "a + 3" was given; expected small letters joined by + - *'],
    [{ task: { ranges: { a: [5, 2] } } }, 'task.ranges.a: [5,2] was given; [least, most]'],
    [{ task: { ranges: { A: [2, 5] } } }, 'task.ranges.A: not a valid key: expected one small letter'],
    [{ min_votes: 4 }, 'min_votes: 4 was given; more votes than there are agents'],
    [
      { preset: 'quikstart' },
      `preset: "quikstart" was given; expected one of ${presets()
        .map(({ name }) => `"${name}"`)
        .join(', ')}; the nearest is quickstart`,
    ],
    [{ preset: 3 }, 'preset: 3 was given'],
    [{ preset: '../../etc/passwd' }, 'preset: "../../etc/passwd" was given; expected one of'],
    [{ name: '../x' }, 'name: "../x" was given; a name is 1 to 100 letters'],
    [{ name: 'a..b' }, 'name: "a..b" was given'],
    [
      { name: 'Models' },
      'name: "Models" was given; "models", "logs", "series", "studies", "answers" are folders of the store',
    ],
  ])('refuses %j with its path, what was given and what is allowed', (input, message) => {
    expect(refusal(input)).toContain(message);
  });

  it('reports every fault at once, each with its path', () => {
    const input = { agnets: 1, seed: -1, min_votes: 9, task: { form: '' }, preset: 'nope', name: '.' };
    expect(() => resolveConfig(input)).toThrow(InvalidConfig);
    const paths = ['agnets', 'seed', 'task.form', 'preset', 'name'];
    for (const path of paths) expect(refusal(input)).toContain(`\n  ${path}: `);
    expect(refusal(input)).toContain('faults:');
  });
});

describe('the format of a config', () => {
  it('may be stated, and changes nothing', () => {
    expect(resolveConfig({ format: 1, seed: 3 })).toEqual(resolveConfig({ seed: 3 }));
    expect(resolveStudy('laptop', { preset: 'laptop', format: 1 })).toEqual(
      resolveStudy('laptop', { preset: 'laptop' }),
    );
  });

  it.each([
    [2, /2 was given, and Colloquy .* reads configs up to format 1: a newer version wrote this one/],
    ['one', /"one" was given; expected 1/],
    [0, /0 was given; expected 1/],
  ])('is refused when it is %j, before the settings are read', (format, words) => {
    expect(() => resolveConfig({ format, a_newer_setting: true })).toThrow(words);
    expect(() => resolveConfig({ format, a_newer_setting: true })).not.toThrow(/a_newer_setting/);
    expect(() => resolveStudy('laptop', { preset: 'laptop', format })).toThrow(words);
  });
});
