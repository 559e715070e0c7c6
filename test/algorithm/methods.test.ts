import { describe, expect, it } from 'vitest';
import { critic, generation, type Role } from '../../src/algorithm/agents.ts';
import { bootstrap } from '../../src/algorithm/bootstrap.ts';
import { type Debate, debate, type DebateSettings, type Speak } from '../../src/algorithm/debate.ts';
import { criticDataset, generationDataset } from '../../src/algorithm/imitation-datasets.ts';
import { labelByConsensus, labelByGold, type LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import {
  learnerGroups,
  type Method,
  type MethodName,
  methodNames,
  methods,
} from '../../src/algorithm/methods.ts';
import { examples, sampleSettings } from './dataset-rows.ts';
import { labelled } from './labelled-debates.ts';
import { cast, paperSettings, said, numbers, type Script, speaker } from './scripted-debate.ts';

const settings = sampleSettings;

/** The rows that a method learns from: by the agents that share a model, then by role, `question/agent` for each row. */
function learnt(name: MethodName, debates: readonly LabelledDebate[]) {
  const { learning } = methods[name];
  return learnerGroups(3, learning).map((agents) => ({
    agents,
    ...Object.fromEntries(
      Object.entries(learning!.datasets(agents, debates, settings)).map(([role, { rows }]) => [
        role,
        rows.map(({ questionId, agent }) => `${questionId}/${agent}`),
      ]),
    ),
  }));
}

/** A debate of the method, with its requests by round, speaker and agent. */
async function held(method: Method, script: Script, more: Partial<DebateSettings> = {}) {
  const { speak, requests } = speaker(script);
  const { roles, stance = 'debate', identified, fixes } = method;
  const identities = identified ? 3 : null;
  const all = { ...paperSettings, prompts: 'terse' as const, roles, stance, identities, ...fixes, ...more };
  const result: Debate = await debate(
    { id: 'q-1', text: '3+4' },
    cast(script.length, roles),
    all,
    speak,
    numbers,
  );
  return { result, requests, spoken: requests.map((each) => `${each.round} ${each.speaker} ${each.agent}`) };
}

const script = [
  [said(1, 1, '7'), said(1, 2, '7')],
  [said(2, 1, '8'), said(2, 2, '7')],
  [said(3, 1, '9'), said(3, 2, '9')],
];

// By agent and round, whether the answer equals the label: q-1 has a corrected agent 2, q-2 a spoilt agent 1.
const debates = [
  labelled('q-1', [
    [true, true],
    [false, true],
    [true, true],
  ]),
  labelled('q-2', [
    [true, false],
    [true, true],
    [false, false],
  ]),
];

describe('how data becomes datasets', () => {
  it('multiagent-ft: each agent learns from its own side of the debates', () => {
    expect(learnt('multiagent-ft', debates)).toEqual([
      { agents: [1], generation: ['q-1/1', 'q-2/1'], critic: [] },
      { agents: [2], generation: ['q-2/2'], critic: ['q-1/2', 'q-2/2'] },
      { agents: [3], generation: ['q-1/3'], critic: [] },
    ]);
  });

  it('single-agent: one pair of models learns from all sides, its critic from a mixture of all dialogues', () => {
    const [one, ...none] = learnt('single-agent', debates);
    expect(none).toEqual([]);
    expect(one).toMatchObject({ agents: [1, 2, 3], generation: ['q-1/1', 'q-1/3', 'q-2/1', 'q-2/2'] });
    const { parts } = criticDataset([1, 2, 3], debates, settings);
    expect(parts).toEqual({
      corrected: { available: 1, used: 1 },
      kept: { available: 3, used: 1 },
    });
  });

  it('majority-ft: one model learns from all first answers that equal the label', () => {
    expect(learnt('majority-ft', debates)).toEqual([
      { agents: [1, 2, 3], generation: ['q-1/1', 'q-1/3', 'q-2/1', 'q-2/2'] },
    ]);
  });

  it('single-agent-no-debate: one model learns from the first answers of agent 1 alone', () => {
    expect(learnt('single-agent-no-debate', debates)).toEqual([
      { agents: [1, 2, 3], generation: ['q-1/1', 'q-2/1'] },
    ]);
  });

  it('no-critic: each agent learns its first answers, and there is no critic dataset', () => {
    expect(learnt('no-critic', debates)).toEqual([
      { agents: [1], generation: ['q-1/1', 'q-2/1'] },
      { agents: [2], generation: ['q-2/2'] },
      { agents: [3], generation: ['q-1/3'] },
    ]);
  });

  it.each(['no-summary', 'cooperative'] as const)('%s: as multiagent-ft', (name) => {
    expect(learnt(name, debates)).toEqual(learnt('multiagent-ft', debates));
  });

  it.each(['base', 'majority', 'debate', 'unique-id'] as const)('%s: nothing is learnt', (name) => {
    expect(learnt(name, debates)).toEqual([]);
    expect(methods[name].fixes.iterations).toBe(0);
  });
});

describe('STaR', () => {
  const agent = cast(1, methods.star.roles).agents[0]!;
  const gold = { questionId: 'q-1', answer: '7' };
  const star = { ...paperSettings, prompts: 'terse' as const, roles: methods.star.roles };

  async function turn(says: readonly string[]) {
    const { speak, requests } = speaker([says]);
    const made = await bootstrap({ id: 'q-1', text: '3+4' }, agent, star, gold, speak, numbers);
    const labelledTurn = await labelByGold(made, gold, numbers);
    const datasets = methods.star.learning!.datasets([1, 2, 3], [labelledTurn], settings);
    return { made, requests, rows: examples([labelledTurn], datasets['generation']!), datasets };
  }

  it('learns its first answer when that is right, and sends no other request', async () => {
    const { requests, rows } = await turn([said(1, 1, '7.0')]);
    expect(requests).toHaveLength(1);
    expect(rows).toEqual([
      {
        prompt: [{ role: 'user', content: '3+4' }],
        completion: [{ role: 'assistant', content: said(1, 1, '7.0') }],
      },
    ]);
  });

  it('gets the gold answer when it was wrong, and learns the reasoning as an answer to the question alone', async () => {
    const { made, requests, rows, datasets } = await turn([said(1, 1, '8'), said(1, 2, '7')]);
    expect(requests.map(({ messages }) => messages)).toEqual([
      [{ role: 'user', content: '3+4' }],
      [{ role: 'user', content: '3+4!7' }],
    ]);
    expect(made.answers).toEqual([['8', '7']]);
    expect(rows).toEqual([
      {
        prompt: [{ role: 'user', content: '3+4' }],
        completion: [{ role: 'assistant', content: said(1, 2, '7') }],
      },
    ]);
    expect(datasets['generation']!.parts['rationalised']).toEqual({ available: 1, used: 1 });
  });

  it('learns nothing from a rationale that leads to another answer', async () => {
    const { rows, datasets } = await turn([said(1, 1, '8'), said(1, 2, '9')]);
    expect(rows).toEqual([]);
    expect(datasets['generation']!.parts['rationalised']).toEqual({ available: 1, used: 0 });
  });
});

describe('who answers', () => {
  it.each(['base', 'majority', 'star', 'majority-ft', 'single-agent-no-debate'] as const)(
    '%s: generation models, once',
    async (name) => {
      const rounds = methods[name].fixes.rounds!;
      expect((await held(methods[name], script, { rounds })).spoken).toEqual([
        '1 generation 1',
        '1 generation 2',
        '1 generation 3',
      ]);
    },
  );

  it('no-critic: generation models in every round', async () => {
    const { spoken, requests } = await held(methods['no-critic'], script);
    expect(spoken).toEqual(
      [1, 2].flatMap((round) => [1, 2, 3].map((agent) => `${round} generation ${agent}`)),
    );
    expect(new Set(requests.map(({ seed }) => seed)).size).toBe(requests.length);
  });

  it('cooperative: critics are asked to build on the others', async () => {
    const { requests } = await held(methods.cooperative, script);
    for (const { messages } of requests.slice(3)) expect(messages.at(-1)!.content).toMatch(/^&>/);
    const summarised = await held(methods.cooperative, script, { summarize: true });
    expect(summarised.requests.at(-1)!.messages.at(-1)!.content).toMatch(/^&~/);
  });

  it('unique-id: each agent gets its number before the question, once', async () => {
    const { requests } = await held(methods['unique-id'], script);
    for (const { agent, messages } of requests) {
      expect(messages[0]!.content).toBe(`${agent}#3+4`);
      for (const { content } of messages.slice(1)) expect(content).not.toContain('#');
    }
  });

  it('no-summary: there is no summary, for any other settings', () => {
    expect(methods['no-summary'].fixes).toEqual({ summarize: false });
  });
});

describe('the debates of the base model', () => {
  /** An engine whose responses depend on nothing but the messages and the seed, as sampling does. */
  const speak: Speak<string> = async ({ messages, seed }) => {
    const drawn = (messages.length + seed) % 7;
    return { text: `${seed}: \\boxed{${drawn}}`, finishReason: 'stop' };
  };
  const held = (name: MethodName, summarize: boolean) => {
    const { roles, stance = 'debate', fixes } = methods[name];
    const all = { ...paperSettings, rounds: 3, summarize, roles, stance, ...fixes };
    return debate({ id: 'q-1', text: '3+4' }, cast(3, roles), all, speak, numbers);
  };

  it.each(methodNames.filter((name) => methods[name].fixes.rounds === undefined && name !== 'cooperative'))(
    '%s: equal those of multiagent-ft',
    async (name) => {
      for (const summarize of [false, name !== 'no-summary'])
        expect(await held(name, summarize)).toEqual(await held('multiagent-ft', summarize));
    },
  );

  it.each(methodNames.filter((name) => methods[name].learning?.conversation !== 'bootstrap'))(
    '%s: begin with the first answers of multiagent-ft',
    async (name) => {
      const firsts = ({ answers }: Debate) => answers.map(([first]) => first);
      expect(firsts(await held(name, false))).toEqual(firsts(await held('multiagent-ft', false)));
    },
  );

  it('star: its first answer is that of agent 1', async () => {
    const agent = cast(1, methods.star.roles).agents[0]!;
    const gold = { questionId: 'q-1', answer: '100' };
    const settings = { ...paperSettings, roles: methods.star.roles };
    const made = await bootstrap({ id: 'q-1', text: '3+4' }, agent, settings, gold, speak, numbers);
    expect(made.answers[0]![0]).toBe((await held('multiagent-ft', false)).answers[0]![0]);
  });

  it('draw a response and the summary before it independently', async () => {
    const seeds = new Set<number>();
    let requests = 0;
    const counting: Speak<string> = (utterance) => {
      requests += 1;
      seeds.add(utterance.seed);
      return speak(utterance);
    };
    const settings = { ...paperSettings, rounds: 3, summarize: true };
    await debate({ id: 'q-1', text: '3+4' }, cast(3), settings, counting, numbers);
    expect(seeds.size).toBe(requests);
  });
});

describe('one more role', () => {
  /** Speaks in the last round, where the critic would have. */
  const verifier: Role = { name: 'verifier', answers: (round, rounds) => round > 1 && round === rounds };
  const withVerifier: Method = {
    ...methods['multiagent-ft'],
    roles: [generation, verifier, critic],
    learning: {
      models: 'each agent',
      conversation: 'debate',
      datasets: (agents, matches, critical) => ({
        generation: generationDataset(agents, matches, critical),
        critic: criticDataset(agents, matches, critical),
        verifier: criticDataset(agents, matches, { ...critical, criticWeight: 1 }),
      }),
    },
  };
  const threeRounds = [1, 2, 3].map((agent) => [1, 2, 3].map((round) => said(agent, round, '7')));

  it('is data: it answers in its rounds with its own model, and has datasets of its own', async () => {
    const { speak, requests } = speaker(threeRounds);
    const agents = [1, 2, 3].map((number) => ({
      number,
      models: { generation: 'g', critic: 'c', verifier: `v${number}` },
    }));
    const all = { ...paperSettings, rounds: 3, roles: withVerifier.roles };
    const made = await debate({ id: 'q-1', text: '3+4' }, { agents, summariser: 's' }, all, speak, numbers);
    expect(requests.map(({ round, model }) => `${round} ${model}`)).toEqual([
      '1 g',
      '1 g',
      '1 g',
      '2 c',
      '2 c',
      '2 c',
      '3 v1',
      '3 v2',
      '3 v3',
    ]);
    const label = labelByConsensus(made, { minVotes: 1 })!;
    expect(Object.keys(withVerifier.learning!.datasets([2], [label], settings))).toEqual([
      'generation',
      'critic',
      'verifier',
    ]);
  });
});

it('every method has a title of its own and a description, and answers in each of its rounds', () => {
  expect(new Set(methodNames.map((name) => methods[name].title)).size).toBe(methodNames.length);
  for (const name of methodNames) {
    const { about, roles, fixes } = methods[name];
    expect(about).toMatch(/\.$/);
    const rounds = fixes.rounds ?? 2;
    for (let round = 1; round <= rounds; round++)
      expect(roles.some(({ answers }) => answers(round, rounds))).toBe(true);
  }
});

it('voters beyond the agents get the agents’ numbers again', async () => {
  const voters = Array.from({ length: 5 }, (_, index) => [said(index + 1, 1, '7')]);
  const { requests } = await held(methods['unique-id'], voters, { rounds: 1 });
  expect(requests.map(({ messages }) => messages[0]!.content)).toEqual(
    [1, 2, 3, 1, 2].map((number) => `${number}#3+4`),
  );
});
