/** Labels by the vote over all rounds (`label_votes: both`). */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Debate } from '../../src/algorithm/debate.ts';
import { type AllRounds, labelDebate, withLabelVote } from '../../src/algorithm/labelled-debate.ts';
import { anyScript, anySettings, numbers, said, type Script, scripted } from './scripted-debate.ts';

/** Two letters of each agent: its answers of round 1 and of round 2; `-` could not be read. */
const held = (answers: string): Promise<Debate> =>
  scripted(
    answers
      .split(' ')
      .map((own, agent) =>
        own.split('').map((answer, round) => said(agent + 1, round + 1, answer === '-' ? null : answer)),
      ),
  );
const allRounds: AllRounds = { rounds: 2, seed: 0, iteration: 1 };
const last = { from: 'consensus', weight: 'margin', minVotes: 1 } as const;
const both = { ...last, allRounds };

describe('with the votes of both rounds, a label', () => {
  it.each([
    // Answers, the vote over the last round, the vote over both, how far it is ahead.
    ['77 77 77', ['7', 3], ['7', 6], 1],
    ['77 78 88', ['8', 2], ['8', 3], 0], // a tie of three votes each: the debate ended in 8
    ['77 77 88', ['7', 2], ['7', 4], 2 / 6],
    ['78 78 79', ['8', 2], ['7', 3], 1 / 6], // the agents left the answer that all of them gave first
    ['7- 7- 88', ['8', 1], ['8', 2], 0],
    ['7- 7- 98', ['8', 1], ['7', 2], 1 / 6],
    ['7- 7- 8-', [null, 0], ['7', 2], 1 / 6], // a label, although no last answer could be read
  ] as const)('of %s is %j in the last one and %j in both', async (answers, ofLast, ofBoth, margin) => {
    const debate = await held(answers);
    const voted = await withLabelVote(debate, both, numbers);
    expect([debate.consensus.answer, debate.consensus.votes]).toEqual(ofLast);
    expect([voted.consensus.answer, voted.consensus.votes]).toEqual(ofBoth);
    const labelled = await labelDebate(debate, both, numbers);
    expect(labelled!.margin).toBeCloseTo(margin, 12);
    expect(labelled!.matches).toEqual(
      answers.split(' ').map((own) => own.split('').map((answer) => answer === ofBoth[0])),
    );
  });

  it('is missing when no answer of any round could be read', async () => {
    const debate = await held('-- -- --');
    expect((await withLabelVote(debate, both, numbers)).consensus).toEqual({
      answer: null,
      votes: 0,
      tied: 0,
    });
    expect(await labelDebate(debate, both, numbers)).toBeNull();
  });

  it('has as many votes as min_votes and max_votes ask for, of all answers', async () => {
    const debate = await held('77 77 88');
    const isThere = async (minVotes: number, maxVotes = 6) =>
      (await labelDebate(debate, { ...both, minVotes, maxVotes }, numbers)) !== null;
    expect([await isThere(4), await isThere(5), await isThere(1, 4), await isThere(1, 3)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('counts the first answers of a debate that ended after them once for each round', async () => {
    const script = [1, 2, 3].map((agent) => [said(agent, 1, '7'), said(agent, 2, '8')]);
    const debate = await scripted(script, { stopWhenUnanimous: true });
    expect(debate.answers).toEqual([['7'], ['7'], ['7']]);
    for (const rounds of [2, 3]) {
      const voted = await withLabelVote(debate, { allRounds: { ...allRounds, rounds } }, numbers);
      expect(voted.consensus).toEqual({ answer: '7', votes: 3 * rounds, tied: 1 });
    }
    const labelled = await labelDebate(debate, { ...both, minVotes: 6 }, numbers);
    expect(labelled).toMatchObject({ margin: 1, matches: [[true], [true], [true]] });
    expect(await labelDebate(debate, { ...both, maxVotes: 5 }, numbers)).toBeNull();
  });

  it('is drawn among answers with equal votes when the debate ended in none of them', async () => {
    // 5 and 6 have three votes each, and 7, in which the debate ended, has two.
    const debate = await held('57 57 65 66');
    const labels = await Promise.all(
      Array.from({ length: 200 }, async (_, seed) => {
        const voted = await withLabelVote(debate, { allRounds: { ...allRounds, seed } }, numbers);
        expect(voted.consensus).toMatchObject({ votes: 3, tied: 2 });
        return voted.consensus.answer;
      }),
    );
    expect(debate.consensus).toMatchObject({ answer: '7', votes: 2, tied: 1 });
    const fives = labels.filter((label) => label === '5').length;
    expect(labels.filter((label) => label === '6')).toHaveLength(200 - fives);
    // Within 4 standard deviations of a half.
    expect(Math.abs(fives - 100)).toBeLessThan(29);
  });

  it('is the one that an independent count of the answers gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyScript,
        anySettings,
        fc.integer({ min: 1, max: 24 }),
        async (script, settings, minVotes) => {
          const rounds = script[0]!.length;
          const debate = await scripted(script, settings);
          const labels = { ...both, minVotes, allRounds: { rounds, seed: settings.seed, iteration: 1 } };
          const labelled = await labelDebate(debate, labels, numbers);
          const votes = debate.answers.flatMap((own) => [
            ...own,
            ...Array.from({ length: rounds - own.length }, () => own[own.length - 1]!),
          ]);
          expect(votes).toHaveLength(script.length * rounds);
          const counts = new Map<number, number>();
          for (const vote of votes)
            if (vote !== null) counts.set(Number(vote), (counts.get(Number(vote)) ?? 0) + 1);
          const sizes = [...counts.values()].toSorted((a, b) => b - a);
          const most = sizes[0] ?? 0;
          const candidates = [...counts].filter(([, size]) => size === most).map(([answer]) => answer);
          const ended = debate.consensus.answer === null ? NaN : Number(debate.consensus.answer);
          const possible = candidates.includes(ended) ? [ended] : candidates;
          const margin = (most - (sizes[1] ?? 0)) / votes.length;
          const expected = possible.map((label) => ({
            matches: debate.answers.map((own) =>
              own.map((answer) => answer !== null && Number(answer) === label),
            ),
            margin,
          }));
          const made = labelled && { matches: labelled.matches, margin: labelled.margin };
          expect(most < Math.max(1, minVotes) ? [null] : expected).toContainEqual(made);
        },
      ),
    );
  });

  it('does not depend on the order of the agents', async () => {
    const shuffled = anyScript.chain((script) => {
      const places = script.map((_, place) => place);
      const order = fc.shuffledSubarray(places, { minLength: places.length });
      return fc.tuple(fc.constant(script), order);
    });
    await fc.assert(
      fc.asyncProperty(shuffled, fc.nat(), async ([script, order], seed) => {
        const labels = { ...both, allRounds: { rounds: script[0]!.length, seed, iteration: 1 } };
        const labelOf = async (of: Script) => labelDebate(await scripted(of, { seed }), labels, numbers);
        const one = await labelOf(script);
        const other = await labelOf(order.map((place) => script[place]!));
        expect(other?.margin).toBe(one?.margin);
        expect(other?.matches ?? null).toEqual(one && order.map((place) => one.matches[place]));
      }),
    );
  });
});

describe('with the votes of the last round, a label', () => {
  it("is the debate's own consensus, and with a single round that of both too", async () => {
    await fc.assert(
      fc.asyncProperty(anyScript, anySettings, async (script, settings) => {
        const debate = await scripted(script, settings);
        expect(await withLabelVote(debate, {}, numbers)).toBe(debate);
        const labelled = await labelDebate(debate, last, numbers);
        expect(labelled?.matches ?? null).toEqual(debate.consensus.answer === null ? null : debate.agrees);
        const short = await scripted(
          script.map((own) => own.slice(0, 1)),
          settings,
        );
        const all = { ...both, allRounds: { rounds: 1, seed: settings.seed + 1, iteration: 1 } };
        expect(await labelDebate(short, all, numbers)).toEqual(await labelDebate(short, last, numbers));
      }),
    );
  });
});
