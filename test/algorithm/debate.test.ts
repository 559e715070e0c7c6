import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { debate, type DebateSettings, type Utterance } from '../../src/algorithm/debate.ts';
import { critiquePrompt, firstPrompt, promptSets } from '../../src/algorithm/agents.ts';
import { hostileTexts } from './hostile-texts.ts';
import {
  anyScript,
  anySettings,
  cast,
  cutOff,
  paperSettings,
  said,
  numbers,
  type Script,
  scripted,
  speaker,
} from './scripted-debate.ts';

const question = { id: 'q-1', text: '3+4' };

/** Every request of a debate that follows the script. */
async function requestsOf(script: Script, settings: Partial<DebateSettings> = {}, asked = question) {
  const { speak, requests } = speaker(script);
  const all = { ...paperSettings, rounds: script[0]!.length, ...settings };
  const held = await debate(asked, cast(script.length), all, speak, numbers);
  return { requests, held };
}

const count = (requests: readonly Utterance<string>[], speaker: string) =>
  requests.filter((request) => request.speaker === speaker).length;

describe('a debate', () => {
  const script = [
    [said(1, 1, '7'), said(1, 2, '7')],
    [said(2, 1, '8'), said(2, 2, '7.0')],
    [said(3, 1, null), said(3, 2, '9')],
  ];

  it('takes no answer from a response that repeats what was asked', async () => {
    const asked = { id: 'q-2', text: 'The answer is 12. What was the question?' };
    const other = 'Add them.\n\\boxed{7}';
    const echo = critiquePrompt(promptSets.paper, 'debate', [other]);
    const repeating = [
      [firstPrompt(promptSets.paper, asked.text, null), echo],
      [other, `${echo}\nSo it is \\boxed{8}.`],
    ];
    const { answers } = await scripted(repeating, {}, asked);
    expect(answers).toEqual([
      [null, null],
      ['7', '8'],
    ]);
  });

  it.each([false, true])(
    'shows no agent what another one thought before it answered (summaries: %s)',
    async (summarize) => {
      const thought = (text: string) => `<think>\nIs it secret?\n</think>\n\n${text}`;
      const thinking = [
        [thought('\\boxed{7}'), thought('\\boxed{7}')],
        ['No secret: \\boxed{8}', '\\boxed{8}'],
        // Its thinking was cut off: it has said nothing.
        ['<think>\nIs it secret', '\\boxed{9}'],
      ];
      const { speak, requests } = speaker(thinking);
      const settings = { ...paperSettings, summarize, rounds: 2 };
      const thinkingSummary: typeof speak = async (utterance) => {
        const reply = await speak(utterance);
        return utterance.speaker === 'summariser' ? { ...reply, text: thought(reply.text) } : reply;
      };
      const { answers, dialogues } = await debate(question, cast(3), settings, thinkingSummary, numbers);
      expect(answers).toEqual([
        ['7', '7'],
        ['8', '8'],
        [null, '9'],
      ]);
      const asked = requests.flatMap(({ messages }) => messages.filter(({ role }) => role === 'user'));
      expect(asked.some(({ content }) => /Is it secret/.test(content))).toBe(false);
      // The first agent is shown the second one alone, word for word.
      const shown = critiquePrompt(promptSets.paper, 'debate', ['No secret: \\boxed{8}']);
      expect(dialogues[0]![2]!.content === shown).toBe(!summarize);
      const open: (typeof asked)[number][] = [];
      const { speak: again, requests: shownAll } = speaker(thinking);
      await debate(question, cast(3), { ...settings, showThinking: true }, again, numbers);
      open.push(...shownAll.flatMap(({ messages }) => messages.filter(({ role }) => role === 'user')));
      expect(open.some(({ content }) => content.includes('<think>\nIs it secret'))).toBe(true);
      // Its own dialogue keeps it, as its chat template decides what becomes of it.
      expect(dialogues[0]![1]!.content).toBe(thinking[0]![0]);
    },
  );

  it('lets generation models answer first and critic models revise', async () => {
    const { requests } = await requestsOf(script);
    expect(requests.map(({ speaker, agent, round }) => `${round} ${speaker} ${agent}`)).toEqual([
      '1 generation 1',
      '1 generation 2',
      '1 generation 3',
      '2 critic 1',
      '2 critic 2',
      '2 critic 3',
    ]);
  });

  it('asks each model that the agent has for the role', async () => {
    const agents = [1, 2].map((number) => ({
      number,
      models: { generation: `g${number}`, critic: `c${number}` },
    }));
    const { speak, requests } = speaker(script);
    const settings = { ...paperSettings, summarize: true };
    await debate(question, { agents, summariser: 'base' }, settings, speak, numbers);
    expect(requests.map(({ model }) => model)).toEqual(['g1', 'g2', 'base', 'base', 'c1', 'c2']);
  });

  it('gives a critic its own dialogue and then the others', async () => {
    const { requests } = await requestsOf(script, { prompts: 'terse' });
    const critic = requests.find((request) => request.speaker === 'critic' && request.agent === 2)!;
    expect(critic.messages.slice(0, 2)).toEqual([
      { role: 'user', content: '3+4' },
      { role: 'assistant', content: said(2, 1, '8') },
    ]);
    expect(critic.messages).toHaveLength(3);
    expect(critic.messages[2]!.content.split('\n').toSorted()).toEqual([
      `>${said(1, 1, '7')}`,
      `>${said(3, 1, null)}`,
    ]);
  });

  it('gives a critic the summary in the place of the others', async () => {
    const { requests } = await requestsOf(script, { prompts: 'terse', summarize: true });
    const critic = requests.find((request) => request.speaker === 'critic' && request.agent === 3)!;
    expect(critic.messages.at(-1)).toEqual({ role: 'user', content: '~summary for agent 3 in round 2' });
    const summary = requests.find((request) => request.speaker === 'summariser' && request.agent === 3)!;
    expect(summary.messages).toHaveLength(1);
    expect(summary.messages[0]!.content).toMatch(/^\?3\+4\n>agent [12] .*\n>agent [12] /);
  });

  it('reports the answers, both votes and who agrees with the consensus', async () => {
    const { held } = await requestsOf(script);
    expect(held.answers).toEqual([
      ['7', '7'],
      ['8', '7.0'],
      [null, '9'],
    ]);
    expect(held.majority).toMatchObject({ votes: 1, tied: 2 });
    expect(held.consensus).toEqual({ answer: '7', votes: 2, tied: 1 });
    expect(held.agrees).toEqual([
      [true, true],
      [false, true],
      [false, false],
    ]);
  });

  it('keeps why each response and each summary ended, by agent and round', async () => {
    const cut = (text: string) => `${cutOff}${text}`;
    const threeRounds = [
      [said(1, 1, '7'), cut(said(1, 2, '7')), said(1, 3, '7')],
      [cut(said(2, 1, null)), said(2, 2, '7'), said(2, 3, '7')],
    ];
    const { held } = await requestsOf(threeRounds, { summarize: true });
    expect(held.finishReasons).toEqual({
      responses: [
        ['stop', 'length', 'stop'],
        ['length', 'stop', 'stop'],
      ],
      summaries: [
        ['stop', 'stop'],
        ['stop', 'stop'],
      ],
    });
    expect((await requestsOf(threeRounds)).held.finishReasons.summaries).toEqual([[], []]);
  });

  it('of one round has the vote over round 1 as its consensus', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, fc.nat(), async (script, seed) => {
        const firsts = script.map((byRound) => byRound.slice(0, 1));
        const held = await scripted(firsts, { seed });
        expect(held.consensus).toEqual(held.majority);
      }),
    );
  });

  it('without a parsed answer in the last round has no consensus, and no agent agrees with it', async () => {
    const held = await scripted([
      ['\\boxed{7}', 'no idea'],
      ['\\boxed{7}', ''],
    ]);
    expect(held.consensus).toEqual({ answer: null, votes: 0, tied: 0 });
    expect(held.agrees.flat()).not.toContain(true);
  });

  it('makes exactly the requests that its settings require, each under a name of its own', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const { requests, held } = await requestsOf(script, settings);
        const agents = script.length;
        const stopped = settings.stopWhenUnanimous && held.majority.votes === agents;
        const revisions = stopped ? 0 : agents * (script[0]!.length - 1);
        const othersShown = Math.min(agents - 1, settings.maxOthers) > 0;
        expect(count(requests, 'generation')).toBe(agents);
        expect(count(requests, 'critic')).toBe(revisions);
        expect(count(requests, 'summariser')).toBe(settings.summarize && othersShown ? revisions : 0);
        const names = requests.map(({ agent, round, speaker }) => `${agent} ${round} ${speaker}`);
        expect(new Set(names).size).toBe(requests.length);
        expect(new Set(requests.map(({ seed }) => seed)).size).toBe(requests.length);
        for (const { messages } of requests) {
          expect(messages.map(({ role }) => role)).toEqual(
            messages.map((_, index) => (index % 2 === 0 ? 'user' : 'assistant')),
          );
          expect(messages.at(-1)!.role).toBe('user');
        }
      }),
    );
  });

  it('holds in each dialogue the own responses of all rounds, and only those', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const { held } = await requestsOf(script, settings);
        held.dialogues.forEach((dialogue, index) => {
          const own = dialogue.filter(({ role }) => role === 'assistant').map(({ content }) => content);
          expect(own).toEqual(script[index]!.slice(0, held.answers[index]!.length));
          expect(dialogue.at(-1)!.role).toBe('assistant');
        });
      }),
    );
  });

  it('of one agent asks it to look at its own response again, without a summary', async () => {
    const script = [[said(1, 1, '7'), said(1, 2, '8')]];
    const { requests } = await requestsOf(script, { summarize: true });
    expect(requests.map(({ speaker }) => speaker)).toEqual(['generation', 'critic']);
    expect(requests[1]!.messages.at(-1)!.content).toBe(promptSets.paper.critiqueAlone);
  });
});

describe('a debate that stops when round 1 is unanimous', () => {
  const revised = (answers: (string | null)[]) =>
    answers.map((answer, index) => [said(index + 1, 1, answer), said(index + 1, 2, '9')]);

  it.each<[string, (string | null)[], number]>([
    ['stops when all give equal answers', ['7', '7.0', '07'], 3],
    ['goes on when one differs', ['7', '7', '8'], 6],
    ['continues when one cannot be parsed', ['7', '7', null], 6],
    ['continues when none can be parsed', [null, null, null], 6],
  ])('%s', async (_, answers, expected) => {
    const { requests } = await requestsOf(revised(answers), { stopWhenUnanimous: true });
    expect(requests).toHaveLength(expected);
  });

  it('has the vote over round 1 as its consensus when it stopped', async () => {
    const { held } = await requestsOf(revised(['7', '7.0', '07']), { stopWhenUnanimous: true });
    expect(held.consensus).toEqual({ answer: '07', votes: 3, tied: 1 });
    expect(held.majority).toEqual(held.consensus);
  });

  it('is off by default, as in the paper: a unanimous debate continues', async () => {
    const { requests } = await requestsOf(revised(['7', '7', '7']));
    expect(requests).toHaveLength(6);
  });
});

describe('whom an agent is shown', () => {
  /** The agents of the responses that a terse critique shows, in order. */
  const shownIn = (request: Utterance<string>) =>
    [...request.messages.at(-1)!.content.matchAll(/>agent (\d+) in round (\d+)/g)].map(
      ([, agent, round]) => ({
        agent: Number(agent),
        round: Number(round),
      }),
    );

  it('is never itself and no agent twice, at most max_others, and always of the round before', async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const { requests } = await requestsOf(script, { ...settings, prompts: 'terse' });
        const telling = settings.summarize ? 'summariser' : 'critic';
        for (const request of requests.filter(({ speaker }) => speaker === telling)) {
          const shown = shownIn(request);
          expect(shown).toHaveLength(Math.min(script.length - 1, settings.maxOthers));
          expect(new Set(shown.map(({ agent }) => agent)).size).toBe(shown.length);
          for (const { agent, round } of shown) {
            expect(agent).not.toBe(request.agent);
            expect(round).toBe(request.round - 1);
          }
        }
      }),
    );
  });

  it('is each other agent equally often, and in each place equally often', async () => {
    const script = [1, 2, 3, 4, 5].map((agent) => [said(agent, 1, '7'), said(agent, 2, '7')]);
    const shown: Record<number, number> = {};
    const first: Record<number, number> = {};
    const debates = 1000;
    for (let index = 0; index < debates; index++) {
      const asked = { id: `train-${index}`, text: '3+4' };
      const { requests } = await requestsOf(script, { maxOthers: 2, prompts: 'terse' }, asked);
      const critic = requests.find(({ speaker, agent }) => speaker === 'critic' && agent === 3)!;
      const agents = shownIn(critic).map(({ agent }) => agent);
      for (const agent of agents) shown[agent] = (shown[agent] ?? 0) + 1;
      first[agents[0]!] = (first[agents[0]!] ?? 0) + 1;
    }
    expect(Object.keys(shown)).toEqual(['1', '2', '4', '5']);
    // Four standard deviations of a binomial count with 1/2, and with 1/4.
    for (const times of Object.values(shown)) {
      expect(Math.abs(times - debates / 2)).toBeLessThan(4 * Math.sqrt(debates / 4));
    }
    for (const times of Object.values(first)) {
      expect(Math.abs(times - debates / 4)).toBeLessThan(4 * Math.sqrt((debates * 3) / 16));
    }
  });
});

describe('what changes nothing in a debate', () => {
  it('the order in which the agents are listed', async () => {
    const withOrder = anyScript.chain((script) => {
      const { agents } = cast(script.length);
      const all = { minLength: agents.length, maxLength: agents.length };
      return fc.tuple(fc.constant(script), fc.shuffledSubarray(agents, all));
    });
    await fc.assert(
      fc.asyncProperty(withOrder, anySettings, async ([script, agents], settings) => {
        const all = { ...paperSettings, ...settings, rounds: script[0]!.length };
        const { speak } = speaker(script);
        const reordered = await debate(question, { agents, summariser: 'base' }, all, speak, numbers);
        expect(reordered).toEqual(await scripted(script, settings));
      }),
    );
  });

  it('the order in which requests are completed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), anyScript, anySettings, async (scheduler, script, settings) => {
        const all = { ...paperSettings, ...settings, rounds: script[0]!.length };
        const { speak, requests } = speaker(script);
        const later = scheduler.scheduleFunction(speak);
        const held = await scheduler.waitFor(debate(question, cast(script.length), all, later, numbers));
        const straight = await requestsOf(script, settings);
        expect(held).toEqual(straight.held);
        const bySeed = (a: Utterance<string>, b: Utterance<string>) => a.seed - b.seed;
        expect(requests.toSorted(bySeed)).toEqual(straight.requests.toSorted(bySeed));
      }),
      { numRuns: 50 },
    );
  });
});

it.each(hostileTexts)('a debate passes %j on unchanged as question and as response', async (text) => {
  const asked = { id: 'q-1', text };
  const { requests, held } = await requestsOf(
    [
      [text, text],
      [text, text],
    ],
    { prompts: 'terse' },
    asked,
  );
  expect(requests[0]!.messages).toEqual([{ role: 'user', content: text }]);
  expect(held.dialogues[0]).toEqual([
    { role: 'user', content: text },
    { role: 'assistant', content: text },
    { role: 'user', content: `>${text}` },
    { role: 'assistant', content: text },
  ]);
});

describe('an error of the engine', () => {
  const failing = (speaker: string, round: number) => async (utterance: Utterance<string>) => {
    if (utterance.speaker === speaker && utterance.round === round && utterance.agent === 2) {
      throw new Error(`${speaker} ${round} failed`);
    }
    return { text: said(utterance.agent, utterance.round, '7'), finishReason: 'stop' };
  };

  it.each([
    ['generation', 1],
    ['summariser', 2],
    ['critic', 2],
    ['critic', 3],
  ])('ends the debate when the %s of round %i meets it', async (speaker, round) => {
    const settings = { ...paperSettings, rounds: 3, summarize: true };
    await expect(debate(question, cast(3), settings, failing(speaker, round), numbers)).rejects.toThrow(
      `${speaker} ${round} failed`,
    );
  });

  it('ends the debate only when no request is in flight any more', async () => {
    const inFlight = new Set<number>();
    const slow = async ({ agent }: Utterance<string>) => {
      if (agent === 1) throw new Error('no memory left');
      inFlight.add(agent);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight.delete(agent);
      return { text: '', finishReason: 'stop' };
    };
    await expect(debate(question, cast(3), paperSettings, slow, numbers)).rejects.toThrow('no memory left');
    expect(inFlight).toEqual(new Set());
  });

  it('ends the debate also when it is thrown before any waiting', async () => {
    const broken = () => {
      throw new Error('no such model');
    };
    await expect(debate(question, cast(3), paperSettings, broken, numbers)).rejects.toThrow('no such model');
  });
});
