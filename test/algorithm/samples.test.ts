/** More first answers of a question than one of each agent (`samples`): they make pairs, and vote on nothing. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowExample } from '../../src/algorithm/dataset.ts';
import type { Debate } from '../../src/algorithm/debate.ts';
import { giverOf, labelDebate, type Match, withSamples } from '../../src/algorithm/labelled-debate.ts';
import { preferencePairs } from '../../src/algorithm/objectives.ts';
import { numbers, said, scripted } from './scripted-debate.ts';

const labels = { from: 'consensus', weight: 'none', minVotes: 1 } as const;

/** By agent, the letters of its rounds. */
const held = (answers: readonly string[]): Promise<Debate> =>
  scripted(
    answers.map((own, agent) =>
      own.split('').map((answer, round) => said(agent + 1, round + 1, answer === '-' ? null : answer)),
    ),
  );
/** The samples as they are asked: first answers of voters 1, 2, ..., of whom the first N are the agents of the debate. */
const sampledOf = (debate: Debate, more: string): Promise<Debate> =>
  held([...debate.answers.map((byRound) => byRound[0] ?? '-'), ...more.split('')]);

async function matchOf(answers: readonly string[], more: string): Promise<{ match: Match; shown: Debate }> {
  const debate = await held(answers);
  const sampled = await sampledOf(debate, more);
  const labelled = await labelDebate(debate, labels, numbers, sampled);
  const { questionId, matches } = labelled!;
  return {
    match: { questionId, matches, cut: [], agents: debate.answers.length },
    shown: withSamples(debate, sampled),
  };
}

const settings = { seed: 3, iteration: 1, pairs: 'own', labelWeight: 'none' } as const;

describe('samples of a question', () => {
  it('agree with the label of the debate or do not, and do not vote on it', async () => {
    const debate = await held(['77', '77', '88']);
    const labelled = await labelDebate(debate, labels, numbers, await sampledOf(debate, '888888'));
    expect(labelled!.matches).toEqual([
      [true, true],
      [true, true],
      [false, false],
      ...Array.from({ length: 6 }, () => [false]),
    ]);
    expect((await labelDebate(debate, labels, numbers))!.matches).toHaveLength(3);
  });

  it('are of the agents in turn', () => {
    const places = [1, 2, 3, 4, 5, 6, 7];
    expect(places.map((place) => giverOf({ agents: 3 }, place))).toEqual([1, 2, 3, 1, 2, 3, 1]);
    expect(places.map((place) => giverOf({}, place))).toEqual(places);
  });

  it('give an agent a pair of its own where all first answers agree', async () => {
    // Agents 1, 2 and 3 answered 7. Of the samples agent 2 alone has another answer, its second one.
    const { match, shown } = await matchOf(['77', '77', '77'], '777787');
    const none = (agent: number) => preferencePairs('generation', [agent], [match], settings).pairs;
    expect([none(1), none(3)]).toEqual([[], []]);
    const [pair] = none(2);
    expect(pair).toMatchObject({ agent: 2, completion: 'first answer', ending: { rejected: 8 } });
    expect([2, 5]).toContain(pair!.ending.chosen);
    expect(rowExample(pair!, shown)).toMatchObject({
      prompt: [{ content: expect.stringMatching(/./) }],
      rejected: [{ content: expect.stringContaining('8') }],
      chosen: [{ content: expect.stringContaining('7') }],
    });
  });

  it('are no pairs of critics: they were given before any other answer was read', async () => {
    const { match } = await matchOf(['77', '77', '77'], '888888');
    expect(preferencePairs('critic', [1], [match], { ...settings, pairs: 'group' }).pairs).toEqual([]);
  });

  it('are left out where they were cut off, and counted', async () => {
    const { match } = await matchOf(['77', '77', '77'], '777787');
    const cut = match.matches.map((byRound, index) => byRound.map(() => index === 7));
    const made = preferencePairs('generation', [2], [{ ...match, cut }], settings);
    expect(made).toEqual({ pairs: [], cut: 1 });
  });

  it('make the pairs that an independent reading of all first answers of the agents gives', async () => {
    const letter = fc.constantFrom('7', '8', '9', '-');
    const agent = fc.tuple(letter, letter).map(([first, last]) => `${first}${last}`);
    const anyAnswers = fc.array(agent, { minLength: 2, maxLength: 4 });
    const anyMore = fc.array(letter, { minLength: 4, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(anyAnswers, anyMore, fc.constantFrom('own', 'group'), async (answers, more, pairs) => {
        const [agents] = [answers.length];
        const whole = more.slice(0, more.length - (more.length % agents)).join('');
        const debate = await held(answers);
        const label = debate.consensus.answer;
        fc.pre(label !== null && whole !== '');
        const { match } = await matchOf(answers, whole);
        const first = [...answers.map(([answer]) => answer), ...whole.split('')];
        for (let number = 1; number <= agents; number += 1) {
          const given = first.map((answer, index) => ({
            right: answer === label,
            own: index % agents === number - 1,
          }));
          const own = given.filter((each) => each.own);
          const usable = (right: boolean): boolean =>
            (pairs === 'own' ? own : given).some((each) => each.right === right);
          const made = preferencePairs('generation', [number], [match], { ...settings, pairs }).pairs;
          expect(made).toHaveLength(usable(true) && usable(false) ? 1 : 0);
          for (const { ending, agent: whose } of made) {
            expect(given[ending.chosen - 1]!.right).toBe(true);
            expect(given[ending.rejected - 1]!.right).toBe(false);
            expect(whose).toBe(number);
            const sides = [ending.chosen, ending.rejected].map((place) => given[place - 1]!.own);
            // Its own answers come first.
            expect(sides).toEqual([true, false].map((right) => own.some((each) => each.right === right)));
          }
        }
      }),
    );
  });
});
