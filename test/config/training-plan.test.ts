import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type MethodName, methodNames, methods } from '../../src/algorithm/methods.ts';
import type { ObjectiveName } from '../../src/algorithm/objectives.ts';
import { didMove } from '../../src/store/records/iteration.ts';
import {
  expectedDatasets,
  expectedFineTunes,
  optimiserSteps,
  servingFaults,
  trainingFaults,
} from '../../src/config/training-plan.ts';
import { trainerSettings, type TrainerSettings } from '../../src/config/contract.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { storedConfigSchema } from '../../src/config/experiment.ts';
import { resolveStudy, studyPresets } from '../../src/config/study.ts';
import { servedForms } from '../../src/config/endpoints.ts';
import { modelKey } from '../../src/store/models.ts';
import { sampleSettings } from '../algorithm/dataset-rows.ts';

const faultsOf = (input: object) => {
  const config = resolveConfig(input);
  return trainingFaults(config, config.task.train_size ?? null);
};
/** The fine-tune of the paper, which is for full fine-tuning. */
const forAllWeights = {
  learning_rate: 1e-5,
  per_device_train_batch_size: 3,
  gradient_accumulation_steps: 64,
};

describe('the optimiser steps of a fine-tune', () => {
  const quick = { num_train_epochs: 2, per_device_train_batch_size: 16, gradient_accumulation_steps: 1 };
  it.each([
    [330, { num_train_epochs: 2, ...forAllWeights }, 4],
    [187, { num_train_epochs: 2, ...forAllWeights }, 2],
    [192, { num_train_epochs: 2, ...forAllWeights }, 2],
    [193, { num_train_epochs: 2, ...forAllWeights }, 4],
    [207, quick, 26],
    [50, quick, 8],
    [16, { ...quick, num_train_epochs: 0.5 }, 1],
    [0, quick, 0],
  ])('of %i rows are counted as transformers does', (rows, settings, steps) => {
    expect(optimiserSteps(rows, settings)).toBe(steps);
  });
});

describe('the datasets that are expected before anything was asked', () => {
  const expected = (name: MethodName, settings = {}) =>
    Object.fromEntries(
      expectedDatasets(
        methods[name].learning!,
        { agents: 3, rounds: methods[name].fixes.rounds ?? 2, questions: 500 },
        { ...sampleSettings, ...settings },
      ).map(({ role, rows }) => [role, rows]),
    );

  it.each([
    ['multiagent-ft', {}, { generation: 325, critic: 100 }],
    ['multiagent-ft', { criticWeight: 0.2 }, { generation: 325, critic: 250 }],
    ['multiagent-ft', { criticMixture: 'weight' }, { generation: 325, critic: 375 }],
    ['no-critic', {}, { generation: 325 }],
    ['single-agent', {}, { generation: 975, critic: 300 }],
    ['single-agent', { dataMatched: true }, { generation: 325, critic: 100 }],
    ['majority-ft', { dataMatched: true }, { generation: 325 }],
    ['single-agent-no-debate', {}, { generation: 325 }],
    ['star', {}, { generation: 375 }],
  ] as const)('of %s with %o have the sizes that the method makes of them', (name, settings, sizes) => {
    expect(expected(name, settings)).toEqual(sizes);
  });
});

describe('a plan with fewer than 10 optimiser steps', () => {
  it('is refused with its datasets, the estimate behind them and the settings to change', () => {
    const [fault, ...none] = faultsOf({ preset: 'paper', fine_tune: forAllWeights });
    expect(none).toEqual([]);
    expect(fault!.path).toBe('fine_tune');
    for (const part of [
      'a generation model would have about 325 rows and 4 optimiser steps',
      'a critic model would have about 100 rows and 2 optimiser steps',
      '500 training questions, 192 rows a step, 2 epochs',
      'of 20 dialogues, 13 keep an answer that equals the label',
      'gradient_accumulation_steps',
      'task.train_size',
      'allow_few_steps: true',
    ])
      expect(fault!.message).toContain(part);
  });

  it.each([
    ['allow_few_steps', { allow_few_steps: true }],
    ['smaller steps', { fine_tune: { ...forAllWeights, gradient_accumulation_steps: 4 } }],
    ['more epochs', { fine_tune: { ...forAllWeights, num_train_epochs: 10 } }],
    ['more questions', { task: { kind: 'arithmetic', train_size: 5000 } }],
    ['no iterations', { iterations: 0 }],
    ['a method that learns nothing', { method: 'debate' }],
  ])('is accepted with %s, as its message says', (_, change) => {
    expect(faultsOf({ preset: 'paper', fine_tune: forAllWeights, ...change })).toEqual([]);
  });

  it.each(methodNames)('is none with the presets paper and quickstart and the method %s', (method) => {
    for (const preset of ['paper', 'quickstart'])
      expect(faultsOf({ preset, method, ...methods[method].fixes })).toEqual([]);
  });

  it.each(studyPresets().map(({ name }) => name))('is none in the study %s', (preset) => {
    for (const { config } of resolveStudy(preset, { preset }).cells)
      expect(trainingFaults(config, config.task.train_size ?? null)).toEqual([]);
  });
});

describe('the preset paper-full', () => {
  it('has the fine-tune of the paper: all weights, in as few steps as the paper had', () => {
    const config = resolveConfig({ preset: 'paper-full' });
    expect(config).toMatchObject({ keep: 'last', fine_tune: { method: 'full', ...forAllWeights } });
    expect(faultsOf({ preset: 'paper-full' })).toEqual([]);
    expect(expectedFineTunes(config, 500).map(({ steps }) => steps)).toEqual([4, 2]);
  });

  it.each([
    [{ kind: 'local' }, []],
    [{ kind: 'vllm' }, []],
    [
      { kind: 'vllm', url: 'http://gpu:8000' },
      [/adapters, and no whole models.*kind vllm without url.*or fine_tune\.method: lora/],
    ],
    [{ kind: 'openai', url: 'http://gpu:8000' }, [/no fine-tuned models.*iterations: 0/]],
  ] as const)('is served by the endpoint %j, or refused with what would help', (endpoint, messages) => {
    const faults = servingFaults(
      resolveConfig({ preset: 'paper-full' }),
      () => servedForms(endpoint),
      'full',
    );
    expect(faults).toEqual(
      messages.map((message) => ({ path: 'model.endpoint', message: expect.stringMatching(message) })),
    );
    const asked = resolveConfig({ preset: 'paper-full', iterations: 0 });
    expect(servingFaults(asked, () => servedForms(endpoint), 'full')).toEqual([]);
  });

  it('measures the base model alone', () => {
    expect(faultsOf({ preset: 'paper-full', iterations: 0 })).toEqual([]);
    expect(expectedFineTunes(resolveConfig({ preset: 'paper-full', iterations: 0 }), 500)).toEqual([]);
  });
});

it('a model moved from 1e-4 nats a token on; what was not measured is not known', () => {
  expect([9e-8, 3e-7, 9.9e-5, 1e-4, 7e-3].map((klPerToken) => didMove({ klPerToken }))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
  expect(didMove(null)).toBeNull();
});

it('a config that an older version wrote names what was trained by use_peft', () => {
  const { method: _, ...settings } = resolveConfig({}).fine_tune;
  const stored = (use_peft: boolean) => ({ ...resolveConfig({}), fine_tune: { ...settings, use_peft } });
  expect(storedConfigSchema.parse(stored(true))).toEqual(resolveConfig({}));
  expect(storedConfigSchema.parse(stored(false)).fine_tune.method).toBe('full');
  expect(() => resolveConfig({ fine_tune: { use_peft: true } })).toThrow(
    /use_peft: unknown key; write fine_tune\.method: lora/,
  );
});

it('an adapter has the content address that it had when its settings said use_peft', () => {
  const imitation = trainerSettings(resolveConfig({}).fine_tune, 'imitation');
  const { method: _, objective, beta, sft_weight, ...settings } = imitation;
  const sorted = Object.entries({ ...settings, use_peft: true }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const older = createHash('sha256')
    .update(JSON.stringify([2, 'base', null, 'data', sorted, 1]))
    .digest('hex');
  const ingredients = { base: 'base', init: null, datasetSha256: 'data', seed: 1 };
  const key = (changed: Partial<TrainerSettings>) =>
    modelKey({ ...ingredients, settings: { ...imitation, ...changed } });
  expect([objective, sft_weight]).toEqual(['imitation', 0]);
  expect(key({})).toBe(older);
  expect(key({ beta: 2 * beta, sft_weight: 1 })).toBe(older);
  const others = [
    key({ method: 'full' }),
    key({ objective: 'dpo' }),
    key({ objective: 'kto' }),
    key({ objective: 'dpo', beta: 2 * beta }),
    key({ objective: 'dpo', sft_weight: 1 }),
  ];
  expect(new Set([older, ...others]).size).toBe(6);
});

describe('an objective', () => {
  const faultsOf = (input: object) => {
    try {
      resolveConfig(input);
    } catch (error) {
      return String(error);
    }
    return null;
  };

  it.each([
    [
      { method: 'star', fine_tune: { objective: 'dpo' } },
      /fine_tune\.objective: dpo compares answers of several agents/,
    ],
    [
      { method: 'majority-ft', fine_tune: { objective: { critic: 'kto' } } },
      /fine_tune\.objective\.critic: .*majority-ft has no critic model/,
    ],
    [
      { pairs: 'own', fine_tune: { objective: 'dpo' } },
      /pairs: dpo compares two answers .* Set pairs: group/,
    ],
    [
      { method: 'single-agent-no-debate', pairs: 'own', min_votes: 1, fine_tune: { objective: 'kto' } },
      /Set pairs: group/,
    ],
    [{ agents: 1, min_votes: 1, fine_tune: { objective: 'dpo' } }, /agents: dpo .* Have at least 2 agents/],
    [
      { min_votes: 3, fine_tune: { objective: 'dpo' } },
      /min_votes: with 3 votes of 3 agents .* a critic model would have no pairs/,
    ],
    [
      { method: 'majority-ft', min_votes: 3, fine_tune: { objective: 'dpo' } },
      /a generation model would have no pairs/,
    ],
    [
      { label_source: 'gold', label_weight: 'margin', fine_tune: { objective: 'dpo' } },
      /label_weight: margin is that of a vote/,
    ],
    [
      { fine_tune: { objective: 'kto', per_device_train_batch_size: 1, gradient_accumulation_steps: 1 } },
      /per_device_train_batch_size: kto compares the rows of an optimiser step/,
    ],
    [
      { samples: 4 },
      /samples: 4 was given, but more first answers make pairs, and no model compares first answers\. Omit it/,
    ],
    [
      { samples: 4, fine_tune: { objective: { critic: 'dpo' } } },
      /samples: 4 was given, .* set fine_tune\.objective to dpo or kto for generation models/,
    ],
    [
      { samples: 4, pairs: 'own', fine_tune: { objective: 'dpo' } },
      /pairs: dpo compares two answers to a question, and with pairs: own a model has only one/,
    ],
    [{ samples: 0, fine_tune: { objective: 'dpo' } }, /samples: 0 was given/],
    [{ max_votes: 1 }, /max_votes: 1 was given; smaller than min_votes/],
    [
      { label_votes: 'both', min_votes: 5, max_votes: 4 },
      /max_votes: 4 was given; smaller than min_votes: no question could ever yield data/,
    ],
    [
      { label_votes: 'both', min_votes: 7 },
      /min_votes: 7 was given; with label_votes: both, 3 agents have 6 votes in 2 rounds: no question could ever yield data\. Set at most 6/,
    ],
    [
      { label_votes: 'both', agents: 4, rounds: 3, max_votes: 13 },
      /max_votes: 13 was given; with label_votes: both, 4 agents have 12 votes in 3 rounds: it would leave nothing out\. Omit it, or set less than 12/,
    ],
    [
      { label_votes: 'both', label_source: 'gold' },
      /label_votes: both was given, but with label_source: gold no vote decides/,
    ],
    [
      { label_votes: 'both', method: 'majority-ft', min_votes: 4 },
      /min_votes: 4 was given; with label_votes: both, 3 agents have 3 votes in 1 round: /,
    ],
    [
      { label_votes: 'both', min_votes: 6, fine_tune: { objective: 'dpo' } },
      /min_votes: with 6 votes of 6 no answer differs from the label, and so a generation model and a critic model would have no pairs\. Set at most 5/,
    ],
    [{ label_votes: 'first' }, /label_votes: "first" was given; expected one of "last", "both"/],
    [{ label_votes: 'last', min_votes: 4 }, /min_votes: 4 was given; more votes than there are agents/],
    [{ fine_tune: { objective: 'grpo' } }, /fine_tune\.objective.*grpo/],
    [{ fine_tune: { objective: { verifier: 'dpo' } } }, /objective/],
    [{ fine_tune: { objective: 'dpo', beta: 0 } }, /fine_tune\.beta/],
  ])('with %o is refused where it cannot be learnt by', (input, fault) => {
    expect(faultsOf(input)).toMatch(fault);
  });

  it.each([
    { fine_tune: { objective: 'dpo' } },
    { fine_tune: { objective: { generation: 'dpo', critic: 'kto' } } },
    { min_votes: 3, fine_tune: { objective: { generation: 'dpo' } } },
    { min_votes: 3, max_votes: 3, fine_tune: { objective: 'imitation' } },
    { label_votes: 'both', min_votes: 5, fine_tune: { objective: 'dpo' } },
    { label_votes: 'both', min_votes: 6, max_votes: 6 },
    { label_votes: 'both', method: 'majority-ft', min_votes: 3 },
    { label_votes: 'both', method: 'star' },
    { method: 'majority-ft', pairs: 'own', fine_tune: { objective: 'kto' } },
    { method: 'no-critic', fine_tune: { objective: { generation: 'dpo' } } },
    { samples: 4, pairs: 'own', fine_tune: { objective: { generation: 'dpo' } } },
    { samples: 4, min_votes: 3, method: 'majority-ft', fine_tune: { objective: 'kto' } },
    { samples: 4, distill: { objective: 'dpo' } },
    { method: 'debate', fine_tune: { objective: 'dpo' } },
    { fine_tune: { objective: 'dpo', per_device_train_batch_size: 1 } },
  ])('is accepted with %o', (input) => {
    expect(faultsOf(input)).toBeNull();
  });

  it('has an imitation term with DPO alone, unless sft_weight sets it', () => {
    const weightOf = (objective: ObjectiveName, fine_tune: object = {}) =>
      trainerSettings(resolveConfig({ fine_tune }).fine_tune, objective).sft_weight;
    expect([weightOf('dpo'), weightOf('kto'), weightOf('imitation')]).toEqual([1, 0, 0]);
    expect([weightOf('dpo', { sft_weight: 0.25 }), weightOf('kto', { sft_weight: 0.25 })]).toEqual([
      0.25, 0.25,
    ]);
  });

  it('that compares answers has as many rows as pairs, and KTO twice as many', () => {
    const rows = (objective: string) =>
      Object.fromEntries(
        expectedFineTunes(resolveConfig({ allow_few_steps: true, fine_tune: { objective } }), 300).map(
          (each) => [each.role, each.rows],
        ),
      );
    const [pairs, labelled] = [rows('dpo'), rows('kto')];
    expect(pairs['generation']).toBeGreaterThan(0);
    expect(labelled).toEqual({ generation: 2 * pairs['generation']!, critic: 2 * pairs['critic']! });
  });
});
