import { describe, expect, it } from 'vitest';
import { agentsOf, inTraining, samplingOf, summarizerOf } from '../../src/config/agents.ts';
import { experimentConfigSchema } from '../../src/config/experiment.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { trainerAbilities } from '../../src/config/trainers.ts';

const refusal = (input: object): string => {
  try {
    resolveConfig(input);
    return 'none';
  } catch (error) {
    return String(error);
  }
};

describe('the setting distill', () => {
  it('is absent by default, so that configs stay as they were', () => {
    expect(resolveConfig({})).not.toHaveProperty('distill');
    expect(experimentConfigSchema.parse({})).not.toHaveProperty('distill');
  });

  it('distils the whole debate by imitation unless it says otherwise', () => {
    expect(resolveConfig({ distill: {} }).distill).toEqual({ from: 'debate', objective: 'imitation' });
    const given = { from: 'best', objective: 'kto' } as const;
    expect(resolveConfig({ distill: given }).distill).toEqual(given);
  });

  it.each([
    [{ distill: { from: 'bets' } }, 'distill.from: "bets" was given; expected one of "debate", "best"'],
    [{ distill: { objective: 'grpo' } }, 'distill.objective: "grpo" was given; expected one of'],
    [{ distill: { frm: 'debate' } }, 'distill.frm: unknown key; the nearest valid one is from'],
    [
      { iterations: 0, distill: {} },
      'distill: {"from":"debate","objective":"imitation"} was given, but with iterations: 0 no training question is debated',
    ],
    [
      { rounds: 1, distill: {} },
      'distill: {"from":"debate","objective":"imitation"} was given, but with rounds: 1',
    ],
    [{ agents: 1, min_votes: 1, distill: {} }, 'was given, but with agents: 1 there is no debate'],
    [
      { distill: { from: 'best', objective: 'dpo' }, pairs: 'own' },
      'distill.objective: "dpo" was given, which compares two answers to a question, but with from: best and pairs: own',
    ],
    [
      { distill: { objective: 'dpo' }, label_votes: 'both', min_votes: 6 },
      'min_votes: with 6 votes of 6 no answer differs from the label',
    ],
    [
      {
        distill: { objective: 'kto' },
        fine_tune: { per_device_train_batch_size: 1, gradient_accumulation_steps: 1 },
      },
      'fine_tune.per_device_train_batch_size: kto compares the rows of an optimiser step',
    ],
    [
      { distill: { objective: 'dpo' }, label_source: 'gold', label_weight: 'margin' },
      'label_weight: margin is that of a vote',
    ],
  ])('of %j is refused with its path and value', (input, message) => {
    expect(refusal(input)).toContain(message);
  });

  it.each(['base', 'majority', 'debate', 'star', 'majority-ft', 'single-agent-no-debate', 'unique-id'])(
    'is refused for the method %s, which has no debates of training questions',
    (method) => {
      expect(refusal({ method, distill: {} })).toContain(`was given, but the method ${method} (`);
    },
  );

  it.each(['multiagent-ft', 'no-critic', 'no-summary', 'single-agent', 'cooperative'])(
    'is taken with the method %s',
    (method) => {
      expect(refusal({ method, distill: {} })).toBe('none');
    },
  );

  it('may compare samples where the debate has no two answers to compare', () => {
    const sampled = { samples: 2, distill: { from: 'best', objective: 'dpo' } };
    expect(refusal({ ...sampled, pairs: 'own' })).toBe('none');
    expect(refusal({ ...sampled, label_votes: 'both', min_votes: 6 })).toBe('none');
  });

  it('compares no answers where a server trains, which can only imitate', () => {
    const server = { kind: 'openai', url: 'https://api.example.com/v1', api_key_env: 'KEY' } as never;
    const { faults } = trainerAbilities('hosted', server);
    const paths = (objective: string) =>
      faults(resolveConfig({ distill: { objective } })).map(({ path }) => path);
    expect(paths('dpo')).toContain('distill.objective');
    expect(paths('imitation')).not.toContain('distill.objective');
  });
});

describe('a list of temperatures', () => {
  const annealed = (settings: object) =>
    resolveConfig({ sampling: { temperature: [1.2, 0.8, 0.4] }, ...settings });

  it('has a value for the training debates of each iteration, and the last one continues', () => {
    const config = annealed({ iterations: 5 });
    const at = (iteration: number) =>
      samplingOf(inTraining(config, iteration), { speaker: 'generation', agent: 2 });
    expect([1, 2, 3, 4, 5].map((iteration) => at(iteration).temperature)).toEqual([1.2, 0.8, 0.4, 0.4, 0.4]);
  });

  it('measures with its last value, so that evaluations can be compared', () => {
    expect(agentsOf(annealed({})).map(({ sampling }) => sampling.temperature)).toEqual([0.4, 0.4, 0.4]);
    expect(summarizerOf(annealed({})).sampling.temperature).toBe(0.4);
  });

  it('may be an agent’s own, beside agents with one temperature, and the summariser’s', () => {
    const config = annealed({
      agents: [{}, { sampling: { temperature: [0.9, 0.1] } }, { sampling: { temperature: 0.5 } }],
      summarizer: { sampling: { temperature: [0.3, 0] } },
    });
    const at = (iteration: number) =>
      agentsOf(inTraining(config, iteration)).map(({ sampling }) => sampling.temperature);
    expect([at(1), at(2), at(9)]).toEqual([
      [1.2, 0.9, 0.5],
      [0.8, 0.1, 0.5],
      [0.4, 0.1, 0.5],
    ]);
    expect([1, 2].map((each) => summarizerOf(inTraining(config, each)).sampling.temperature)).toEqual([
      0.3, 0,
    ]);
  });

  it('changes no other setting, and a single temperature nothing at all', () => {
    const plain = resolveConfig({ agents: [{ sampling: { max_tokens: 9 } }, {}, {}] });
    expect(JSON.stringify(inTraining(plain, 3))).toBe(JSON.stringify(plain));
  });

  it.each([
    [[], 'sampling.temperature: [] was given'],
    [[1, 3], 'sampling.temperature'],
    ['hot', 'sampling.temperature: "hot" was given'],
  ])('of %j is refused', (temperature, message) => {
    expect(refusal({ sampling: { temperature } })).toContain(message);
  });
});
