import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { methodNames } from '../../src/algorithm/methods.ts';
import { InvalidConfig } from '../../src/config/faults.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { experimentNameSchema } from '../../src/config/names.ts';
import { configurationPage, studyJsonSchema } from '../../src/config/write-schema.ts';
import { resolveStudy, studyPresets } from '../../src/config/study.ts';

const read = (...path: string[]) => readFileSync(join(projectRoot, ...path), 'utf8');
const refusal = (input: unknown): string => {
  try {
    resolveStudy('s', input);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.message;
    throw error;
  }
  throw new Error('the study was accepted');
};

describe('a total budget', () => {
  const given = {
    methods: ['base', 'debate'],
    experiments: [{ name: 'sums' }],
    variants: { free: { budget: null } },
  };
  it('has every experiment count, and is none of theirs', () => {
    const settings = { budget: { tokens: 5 } };
    const { cells, totalBudget } = resolveStudy('mine', { ...given, settings, total_budget: { tokens: 9 } });
    expect(totalBudget).toEqual({ tokens: 9 });
    expect(cells.map(({ config }) => config.budget)).toEqual([{ tokens: 5 }, { tokens: 5 }, {}]);
    const without = resolveStudy('mine', { ...given, settings });
    expect(without.totalBudget).toBeUndefined();
    expect(without.cells.map(({ config }) => config.budget)).toEqual([
      { tokens: 5 },
      { tokens: 5 },
      undefined,
    ]);
  });

  it.each([
    [{ total_budget: {} }, /total_budget: .*no limit was given/],
    [{ total_budget: { tokens: 0 } }, /total_budget\.tokens/],
    [{ budget: { tokens: 5 } }, /budget: unknown key; the nearest valid one is/],
    [{ settings: { total_budget: { tokens: 5 } } }, /total_budget: unknown key/],
  ])('%j is refused', (more, said) => {
    expect(refusal({ ...given, ...more })).toMatch(said);
  });
});

describe('null in a variant', () => {
  it('switches off what all experiments of the study have, and what a preset has', () => {
    const { cells } = resolveStudy('mine', {
      methods: ['multiagent-ft'],
      settings: {
        preset: 'quickstart',
        task: { kind: 'arithmetic', validation_size: 20 },
        guard: { max_drop: 0.1 },
        distill: { from: 'best' },
      },
      variants: { unguarded: { guard: null }, group: { distill: null } },
      experiments: [{ name: 'sums' }],
    });
    const has = cells.map(({ variant, config }) => [variant, 'guard' in config, 'distill' in config]);
    expect(has).toEqual([
      [undefined, true, true],
      ['unguarded', false, true],
      ['group', true, false],
    ]);
  });

  it('is refused where a setting has a value in every experiment', () => {
    const variants = { odd: { rounds: null } };
    expect(refusal({ methods: ['multiagent-ft'], variants, experiments: [{ name: 'sums' }] })).toContain(
      'rounds',
    );
  });
});

describe('the studies that come with Colloquy', () => {
  it('are the tables of the paper, a small model, an API, a laptop and comparisons', () => {
    expect(studyPresets().map(({ name }) => name)).toEqual([
      'api',
      'asking',
      'critic-mixture',
      'data-matched',
      'distill',
      'laptop-objectives',
      'laptop',
      'objectives',
      'small-model',
      'table-1',
      'table-2',
    ]);
  });

  it.each(studyPresets())(
    '$name resolves, describes itself and names the schema to editors',
    ({ name, description, path }) => {
      const { cells } = resolveStudy('mine', { preset: name });
      expect(cells.length).toBeGreaterThan(3);
      for (const cell of cells) expect(experimentNameSchema.safeParse(cell.name).success).toBe(true);
      expect(description.length).toBeGreaterThan(20);
      expect(readFileSync(path, 'utf8')).toMatch(/^# yaml-language-server: \$schema=\.\/schema\.json\n/);
    },
  );

  it('table-1 and table-2 have the settings of the paper, with a fine-tune for LoRA', () => {
    for (const preset of ['table-1', 'table-2']) {
      const { cells } = resolveStudy('mine', { preset });
      expect(new Set(cells.map(({ experiment }) => experiment)).size).toBe(9);
      for (const { config } of cells)
        expect(config).toMatchObject({
          agents: 3,
          sampling: { temperature: 1, top_p: 0.9, max_tokens: 2048 },
          fine_tune: {
            num_train_epochs: 2,
            learning_rate: 2e-4,
            lr_scheduler_type: 'cosine',
            warmup_ratio: 0.03,
            max_length: 2048,
          },
          task: { train_size: 500, test_size: 500 },
        });
      const [{ config }] = cells as [(typeof cells)[number]];
      expect(
        config.fine_tune.per_device_train_batch_size * config.fine_tune.gradient_accumulation_steps,
      ).toBe(16);
    }
  });

  it('laptop has all methods, with objectives, labels, matched rows, a guard and one model as variants', () => {
    const { cells } = resolveStudy('laptop', { preset: 'laptop' });
    const own = cells.filter(({ variant }) => variant === undefined);
    expect(own.map(({ method }) => method)).toEqual([...methodNames]);
    expect(cells.flatMap(({ variant }) => variant ?? [])).toEqual([
      'dpo',
      'kto',
      'both',
      'sample',
      'matched',
      'guarded',
      'distilled',
    ]);
  });
});

describe('a study', () => {
  const input = {
    methods: ['base', 'multiagent-ft'],
    seeds: [0, 1],
    experiments: [{ name: 'a' }, { name: 'b', agents: 5 }],
  };

  it('is experiments x methods x seeds, each named after all three and sharing the answers of its column', () => {
    const { cells } = resolveStudy('s', { ...input, settings: { rounds: 3 } });
    expect(cells.map(({ name }) => name)).toEqual([
      's-a-base-s0',
      's-a-multiagent-ft-s0',
      's-a-base-s1',
      's-a-multiagent-ft-s1',
      's-b-base-s0',
      's-b-multiagent-ft-s0',
      's-b-base-s1',
      's-b-multiagent-ft-s1',
    ]);
    expect(cells.map(({ config }) => config.shared_answers)).toEqual([
      ...Array(4).fill('s.a'),
      ...Array(4).fill('s.b'),
    ]);
    expect(cells.map(({ config }) => [config.agents, config.rounds]).slice(3, 6)).toEqual([
      [3, 3],
      [5, 1],
      [5, 3],
    ]);
  });

  it('prefers the settings of a method to those of the experiment, and these to the shared ones', () => {
    const settings = { agents: 2, min_votes: 1, max_others: 1 };
    const experiments = [{ name: 'a', agents: 4, max_others: 2 }];
    const method_settings = { base: { agents: 7 } };
    const { cells } = resolveStudy('s', {
      methods: ['base', 'debate'],
      settings,
      experiments,
      method_settings,
    });
    expect(cells.map(({ config: { agents, max_others } }) => [agents, max_others])).toEqual([
      [7, 2],
      [4, 2],
    ]);
  });

  it('may have only some of the methods of a preset, and ignores the preset’s settings of the others', () => {
    const { cells } = resolveStudy('s', { preset: 'laptop', methods: ['base', 'multiagent-ft'] });
    expect(cells.map(({ method, variant }) => variant ?? method)).toEqual(['base', 'multiagent-ft']);
  });

  it('that names variants has those of its preset too, and without naming methods all of them', () => {
    const rows = (input: object): string[] =>
      resolveStudy('s', { preset: 'laptop', ...input }).cells.map(({ method, variant }) => variant ?? method);
    expect(rows({ methods: ['debate'], variants: { cool: { sampling: { temperature: 0.4 } } } })).toEqual(
      expect.arrayContaining(['debate', 'dpo', 'cool']),
    );
    expect(rows({ seeds: [3] })).toEqual(rows({}));
  });

  it('has rows of its own beside the methods: variants, each with its settings laid over those of its method', () => {
    const { cells } = resolveStudy('s', {
      ...input,
      methods: ['base', 'multiagent-ft'],
      seeds: [1],
      settings: { fine_tune: { learning_rate: 1e-4, num_train_epochs: 3 } },
      method_settings: { 'multiagent-ft': { min_votes: 1 } },
      variants: {
        dpo: { fine_tune: { objective: 'dpo', learning_rate: 2e-5 } },
        'no-critic-dpo': { method: 'no-critic', fine_tune: { objective: 'dpo' } },
      },
      experiments: [{ name: 'a' }],
    });
    expect(cells.map(({ name, method, variant }) => [name, method, variant])).toEqual([
      ['s-a-base-s1', 'base', undefined],
      ['s-a-multiagent-ft-s1', 'multiagent-ft', undefined],
      ['s-a-dpo-s1', 'multiagent-ft', 'dpo'],
      ['s-a-no-critic-dpo-s1', 'no-critic', 'no-critic-dpo'],
    ]);
    expect(
      cells.slice(2).map(({ config: { method, min_votes, fine_tune } }) => [method, min_votes, fine_tune]),
    ).toMatchObject([
      ['multiagent-ft', 1, { objective: 'dpo', learning_rate: 2e-5, num_train_epochs: 3 }],
      ['no-critic', expect.any(Number), { objective: 'dpo', learning_rate: 1e-4 }],
    ]);
    expect(cells.every(({ config }) => config.shared_answers === 's.a')).toBe(true);
  });

  it('reports a fault that all methods share once, with its place', () => {
    const message = refusal({ ...input, settings: { agnets: 3 } });
    expect(message.match(/experiments\.0\.agnets/g)).toHaveLength(1);
    expect(message).toContain('nearest valid one is agents');
  });

  it.each([
    [undefined, 'methods: missing'],
    [[], 'expected one object'],
    [{ ...input, experiments: [] }, 'experiments'],
    [{ ...input, experiments: [{ name: '../x' }] }, 'a name within a study'],
    [{ ...input, methods: ['base', 'base'] }, '"base" is there twice'],
    [{ ...input, seeds: [1, 1] }, '1 is there twice'],
    [{ ...input, settings: { carry_over: { series: 'x' } } }, 'settings.carry_over: the study sets this'],
    [{ ...input, name: 'other' }, 'is "other", but the workflow id is s'],
    [{ ...input, preset: 'tabel-1' }, 'the nearest is table-1'],
    [{ ...input, method_settings: { bas: {} } }, 'method_settings'],
    [{ ...input, variants: { 'Dpo!': {} } }, 'a variant is 1 to 24 small letters'],
    [
      { ...input, variants: { base: {} } },
      'variants.base: "base" is a method: give the variant another name',
    ],
    [
      { ...input, variants: { 'majority-at-equal-tokens': {} } },
      'variants.majority-at-equal-tokens: "majority-at-equal-tokens" is a row of its own beside debate: give the variant another name',
    ],
    [{ ...input, variants: { x: { method: 'dpo' } } }, 'variants.x.method: "dpo" was given; expected one of'],
    [{ ...input, variants: { x: { seed: 3 } } }, 'variants.x.seed: the study sets this'],
    [{ ...input, variants: { x: { agnets: 3 } } }, 'variants.x.agnets'],
    [{ ...input, variants: { x: { guard: {} } } }, 'variants.x.guard'],
    [{ ...input, method_settings: { base: { agnets: 3 } } }, 'method_settings.base.agnets'],
    [
      { ...input, variants: { x: { distill: { form: 'best' } } } },
      'variants.x.distill.form: unknown key; the nearest valid one is from',
    ],
    [
      {
        ...input,
        methods: ['debate', 'single-agent-no-debate'],
        experiments: [{ name: 'x' }, { name: 'x-single-agent-no' }],
      },
      'two of the study\'s experiments would be called "s-x-single-agent-no-debate-s0"',
    ],
    [{ ...input, method_settings: { base: { rounds: 2 } } }, 'the method base fixes rounds: 1'],
  ])('refuses %j', (given, words) => {
    expect(refusal(given)).toContain(words);
  });
});

it('the generated files match the schemas (else run: npx tsx src/config/write-schema.ts)', () => {
  expect(JSON.parse(read('configs/studies/schema.json'))).toEqual(
    JSON.parse(JSON.stringify(studyJsonSchema())),
  );
  expect(read('docs/configuration.md')).toBe(configurationPage());
});

it.each(methodNames)('docs/methods.md describes %s', (name) => {
  expect(read('docs/methods.md')).toContain(`| \`${name}\` |`);
});
