import { describe, expect, it } from 'vitest';
import { agentsOf, baseModelsOf, samplingOf, summarizerOf } from '../../src/config/agents.ts';
import { agentCount } from '../../src/config/experiment.ts';
import { neededByAll, neededModels } from '../../src/config/model-needs.ts';
import { fixedSettings, requireOwnModel, resolveConfig } from '../../src/config/resolve.ts';
import { estimate } from '../../src/config/estimate.ts';
import { servingFaults } from '../../src/config/training-plan.ts';
import { resolveStudy } from '../../src/config/study.ts';
import { servingNeeds } from '../../src/engines/vllm/needs.ts';

const qwen = { endpoint: 'gpu0', model_name_or_path: 'Qwen/Qwen3-4B' };
const phi = { endpoint: 'gpu1', model_name_or_path: 'microsoft/Phi-4-mini-instruct' };
const two = [{ model: qwen }, { model: phi, sampling: { temperature: 0.7 } }, { model: qwen }];
const config = (settings: object) => resolveConfig({ preset: 'paper', model: qwen, ...settings });
const faultsOf = (settings: object): string => {
  try {
    config(settings);
    return 'none';
  } catch (error) {
    return String(error);
  }
};

describe('the agents of a config', () => {
  it('are that many equal agents when `agents` is a number', () => {
    const agent = { model: qwen, sampling: { temperature: 1, top_p: 0.9, max_tokens: 2048 }, path: 'model' };
    expect(agentsOf(config({ agents: 2 }))).toEqual([agent, agent]);
    expect(summarizerOf(config({ agents: 2 }))).toEqual(agent);
  });

  it('take what the list does not set from the model and the sampling at the top', () => {
    const agents = [
      {},
      { model: 'Org/other' },
      { model: { endpoint: 'gpu1' }, sampling: { max_tokens: 64 } },
    ];
    const resolved = config({ agents, sampling: { top_p: 0.5 } });
    expect(agentCount(resolved)).toBe(3);
    expect(agentsOf(resolved)).toEqual([
      { model: qwen, sampling: { temperature: 1, top_p: 0.5, max_tokens: 2048 }, path: 'model' },
      {
        model: { endpoint: 'gpu0', model_name_or_path: 'Org/other' },
        sampling: { temperature: 1, top_p: 0.5, max_tokens: 2048 },
        path: 'agents.1.model',
      },
      {
        model: { endpoint: 'gpu1', model_name_or_path: qwen.model_name_or_path },
        sampling: { temperature: 1, top_p: 0.5, max_tokens: 64 },
        path: 'agents.2.model',
      },
    ]);
  });

  it('are stored as they were given, so that a number stays the same experiment', () => {
    expect(config({ agents: 3 }).agents).toBe(3);
    expect(config({ agents: two }).agents).toEqual(two);
  });

  it('are the same agents in turn in a longer vote', () => {
    const resolved = config({ agents: two });
    const temperatures = [1, 2, 3, 4, 5].map(
      (agent) => samplingOf(resolved, { speaker: 'generation', agent }).temperature,
    );
    expect(temperatures).toEqual([1, 0.7, 1, 1, 0.7]);
  });

  it.each([
    [
      [],
      /agents: \[\] was given; expected a whole number from 1 to 20, or a list of 1 to 20, each an object with model, sampling/,
    ],
    ['three', /agents: "three" was given; expected a whole number from 1 to 20, or a list/],
    [Array.from({ length: 21 }, () => ({})), /agents: .* was given; expected .*a list of 1 to 20/],
    [['Qwen/Qwen3-4B'], /agents\.0: "Qwen\/Qwen3-4B" was given; expected an object with model, sampling/],
    [
      [{ sampling: { temp: 0.7 } }],
      /agents\.0\.sampling\.temp: unknown key; the nearest valid one is temperature/,
    ],
    [
      [{}, { sampling: { temperature: 3 } }],
      /agents\.1\.sampling\.temperature: 3 was given; expected a number from 0 to 2/,
    ],
    [
      [{ temperature: 0.7 }],
      /agents\.0\.temperature: unknown key; the nearest valid one is sampling\.temperature/,
    ],
    [
      [{ model: { model_name: 'a' } }],
      /agents\.0\.model\.model_name: unknown key; the nearest valid one is model_name_or_path/,
    ],
    [
      [{ model: { endpoint: 'a b' } }],
      /agents\.0\.model\.endpoint: "a b" was given; expected the name of an endpoint/,
    ],
  ])('are refused when %j is given, with the place', (agents, words) => {
    expect(faultsOf({ agents })).toMatch(words);
  });

  it('have at most as many votes as there are agents in the list', () => {
    expect(faultsOf({ agents: [{}, {}], min_votes: 3 })).toContain(
      'min_votes: 3 was given; more votes than there are agents',
    );
    expect(faultsOf({ agents: [{}, {}], min_votes: 2 })).toBe('none');
  });

  it('may be a single agent, in a list too', () => {
    expect(agentsOf(config({ agents: [{ model: phi }] })).map(({ model }) => model)).toEqual([phi]);
    expect(baseModelsOf(config({ agents: [{ model: phi }] }))).toMatchObject([
      { agents: [1], summarises: false },
    ]);
  });
});

describe('the summariser', () => {
  it('is like agent 1 where nothing else is set', () => {
    const agents = [{ model: phi, sampling: { temperature: 0 } }, {}];
    expect(summarizerOf(config({ agents }))).toMatchObject({ model: phi, sampling: { temperature: 0 } });
    const named = summarizerOf(
      config({ agents, summarizer: { model: qwen, sampling: { max_tokens: 512 } } }),
    );
    expect(named).toEqual({
      model: qwen,
      sampling: { temperature: 0, top_p: 0.9, max_tokens: 512 },
      path: 'summarizer.model',
    });
    expect(summarizerOf(config({ summarizer: { model: 'Org/small' } })).model).toEqual({
      endpoint: 'gpu0',
      model_name_or_path: 'Org/small',
    });
  });

  it('is sampled by its own settings, and agents by theirs', () => {
    const resolved = config({ agents: two, summarizer: { sampling: { temperature: 0.1 } } });
    const of = (speaker: string, agent: number) => samplingOf(resolved, { speaker, agent }).temperature;
    expect([of('summariser', 2), of('critic', 2), of('critic', 1)]).toEqual([0.1, 0.7, 1]);
  });
});

describe('the base models of a config', () => {
  it('are one for equal agents', () => {
    expect(baseModelsOf(config({}))).toMatchObject([
      { model: qwen, path: 'model', agents: [1, 2, 3], summarises: true, maxTokens: 2048 },
    ]);
  });

  it('are each listed once, with the agents that have it, and the summariser’s where there are summaries', () => {
    const small = { endpoint: 'gpu1', model_name_or_path: 'Org/small' };
    const summarizer = { model: small, sampling: { max_tokens: 100 } };
    const of = (settings: object) => baseModelsOf(config({ agents: two, summarizer, ...settings }));
    const ofAgents = [
      { model: qwen, path: 'agents.0.model', agents: [1, 3], summarises: false, maxTokens: 2048 },
      { model: phi, path: 'agents.1.model', agents: [2], summarises: false, maxTokens: 2048 },
    ];
    expect(of({})).toMatchObject([
      ...ofAgents,
      { model: small, path: 'summarizer.model', agents: [], summarises: true, maxTokens: 100 },
    ]);
    expect(of({ summarize: false })).toMatchObject(ofAgents);
    expect(of({ method: 'majority', summarize: true })).toMatchObject(ofAgents);
  });

  it('each have adapters of their own agents alone, and room for the longest answer of all', () => {
    const resolved = config({
      agents: [...two, { model: phi, sampling: { max_tokens: 4096 } }],
      iterations: 1,
    });
    const needs = baseModelsOf(resolved).map(({ agents }) => servingNeeds(resolved, agents.length));
    expect(needs.map(({ adapters }) => adapters)).toEqual([4, 4]);
    expect(needs[0]?.context).toBe(needs[1]?.context);
    expect(needs[0]?.context).toBeGreaterThan(servingNeeds(config({ agents: 4 })).context);
    expect(servingNeeds(resolved, 0)).toMatchObject({ adapters: 0, rank: 0 });
  });

  it('have room for long summaries, where there are any', () => {
    const context = (settings: object): number => servingNeeds(config({ agents: two, ...settings })).context;
    const long = { summarizer: { sampling: { max_tokens: 16_384 } } };
    expect(context(long)).toBe(context({}) + 16_384 - 2_048);
    expect(context({ ...long, summarize: false })).toBe(context({ summarize: false }));
  });

  it('each have needs of their own, which their agents’ share of the work decides', () => {
    const questions = { train: 500, heldOut: 500, transfer: 0, characters: 240 };
    const of = (settings: object) => {
      const resolved = config(settings);
      return neededModels(resolved, estimate(resolved, questions));
    };
    const [whole] = of({ agents: 3 });
    const [first, second] = of({ agents: two });
    expect([first?.agents, second?.agents, second?.name]).toEqual([[1, 3], [2], phi.model_name_or_path]);
    expect(first!.needs!.models).toBeCloseTo((whole!.needs!.models * 2) / 3, 0);
    expect(first!.needs!.seconds).toBeCloseTo((whole!.needs!.seconds * 2) / 3, 3);
    expect(second!.needs!.training).not.toBe(first!.needs!.training);
    const [both] = neededByAll([of({ agents: two }), of({ agents: two })]);
    expect(both!.needs!.seconds).toBeCloseTo(2 * first!.needs!.seconds, 3);
  });

  it('have to be served where they are trained, which names the agent whose endpoint does not', () => {
    const resolved = config({ agents: two });
    const faults = servingFaults(resolved, (endpoint) => (endpoint === 'gpu1' ? [] : ['adapter']), 'adapter');
    expect(faults).toMatchObject([
      {
        path: 'agents.1.model.endpoint',
        message: expect.stringContaining('gpu1 serves no fine-tuned models'),
      },
    ]);
    const summarizer = { model: { endpoint: 'api', model_name_or_path: 'gpt' } };
    expect(
      servingFaults(config({ summarizer }), (endpoint) => (endpoint === 'api' ? [] : ['adapter']), 'adapter'),
    ).toEqual([]);
  });

  it('of one base model are asked with each of their values of `enable_thinking`', () => {
    const thinking = (enable_thinking: boolean) => ({ sampling: { enable_thinking } });
    const agents = [thinking(true), thinking(false), thinking(true)];
    const config = resolveConfig({ preset: 'paper', summarize: false, agents });
    expect(baseModelsOf(config).map((base) => base.thinking)).toEqual([[true, false]]);
  });

  it('read English where the prompts are English: the embedded one of any agent is refused, with its place', () => {
    const embedded = { model_name_or_path: 'engine/models/tiny-arithmetic', endpoint: 'local' };
    expect(() => requireOwnModel(config({ agents: two }))).not.toThrow();
    expect(() => requireOwnModel(config({ agents: [{ model: qwen }, { model: embedded }] }))).toThrow(
      /agents\.1\.model\.model_name_or_path: prompts in English need a model that reads English/,
    );
  });
});

describe('a method that trains one model of all agents', () => {
  it.each(['star', 'majority-ft', 'single-agent', 'single-agent-no-debate'])(
    'as %s does, is refused for agents with different base models',
    (method) => {
      expect(faultsOf({ agents: two, method })).toContain(
        `agents: the method ${method} trains one model that all agents share, and one model cannot be trained from 2 base models: ` +
          'Qwen/Qwen3-4B at gpu0 (agents 1 and 3) and microsoft/Phi-4-mini-instruct at gpu1 (agent 2).',
      );
      expect(faultsOf({ agents: two, method, iterations: 0 })).toBe('none');
      const equal = two.map(({ sampling = {} }) => ({ sampling }));
      expect(faultsOf({ agents: equal, method })).toBe('none');
    },
  );

  it.each([
    'base',
    'majority',
    'debate',
    'multiagent-ft',
    'no-summary',
    'no-critic',
    'cooperative',
    'unique-id',
  ])('is none of the others: %s takes them', (method) => {
    expect(faultsOf({ agents: two, method })).toBe('none');
  });

  it('is refused in a study too', () => {
    const study = {
      methods: ['debate', 'star'],
      settings: { preset: 'paper', agents: two },
      experiments: [{ name: 'a' }],
    };
    expect(() => resolveStudy('s', study)).toThrow(/star trains one model that all agents share/);
  });
});

it('a series keeps the base model of each agent, and equal ones are the number that it always had', () => {
  const equal = fixedSettings(config({ agents: 3 }));
  expect(equal).toMatchObject({ agents: 3, model: { model_name_or_path: qwen.model_name_or_path } });
  expect(fixedSettings(config({ agents: [{}, { sampling: { temperature: 0 } }, {}] }))).toEqual(equal);
  const names = (agents: object[]) => fixedSettings(config({ agents }))['agents'];
  expect(names(two)).toEqual(
    two.map(({ model }) => ({ model: { model_name_or_path: model.model_name_or_path } })),
  );
  expect(names([two[1]!, two[0]!, two[2]!])).not.toEqual(names(two));
});
