import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majorityVote } from '../../src/algorithm/consensus.ts';
import { chiSquare, tally } from './chi-square.ts';
import { anyAnswer, sameNumber } from './scripted-debate.ts';

const tieBreak = { seed: 0, iteration: 1, purpose: 'consensus', question: 'q-1' };
const vote = (answers: readonly (string | null)[], seed = 0) =>
  majorityVote(answers, sameNumber, { ...tieBreak, seed });

const anyVotes = fc.array(anyAnswer, { maxLength: 9 });
const withAnotherOrder = anyVotes.chain((answers) =>
  fc.tuple(
    fc.constant(answers),
    fc.shuffledSubarray(answers, { minLength: answers.length, maxLength: answers.length }),
  ),
);

describe('the majority vote', () => {
  it('counts equal answers as one, also when they are written in different ways', async () => {
    expect(await vote(['8', '7', '07', '7.0', '8'])).toEqual({ answer: '07', votes: 3, tied: 1 });
  });

  it('distinguishes a clear win from a tie', async () => {
    expect(await vote(['7', '7', '8'])).toMatchObject({ answer: '7', votes: 2, tied: 1 });
    expect(await vote(['7', '8', '8', '7'])).toMatchObject({ votes: 2, tied: 2 });
    expect(await vote(['7', '8', '9'])).toMatchObject({ votes: 1, tied: 3 });
  });

  it('has no answer when none could be parsed', async () => {
    expect(await vote([null, null, null])).toEqual({ answer: null, votes: 0, tied: 0 });
    expect(await vote([])).toEqual({ answer: null, votes: 0, tied: 0 });
  });

  it('never lets answers that could not be parsed win against a parsed one', async () => {
    expect(await vote([null, null, null, null, '9'])).toEqual({ answer: '9', votes: 1, tied: 1 });
    await fc.assert(
      fc.asyncProperty(anyVotes, fc.nat(), async (answers, seed) => {
        const parsed = answers.filter((answer) => answer !== null);
        const consensus = await vote(answers, seed);
        expect(consensus).toEqual(await vote(parsed, seed));
        expect(consensus.answer === null).toBe(parsed.length === 0);
      }),
    );
  });

  it('gives an answer that an agent gave, with all its votes, and no answer has more', async () => {
    await fc.assert(
      fc.asyncProperty(anyVotes, fc.nat(), async (answers, seed) => {
        const { answer, votes } = await vote(answers, seed);
        const counts = answers
          .filter((each) => each !== null)
          .map((each) => answers.filter((other) => other !== null && Number(other) === Number(each)).length);
        expect(votes).toBe(Math.max(0, ...counts));
        if (answer === null) return;
        expect(answers).toContain(answer);
        expect(answers.filter((each) => each !== null && Number(each) === Number(answer))).toHaveLength(
          votes,
        );
      }),
    );
  });

  it('does not depend on the order of agents', async () => {
    await fc.assert(
      fc.asyncProperty(withAnotherOrder, fc.nat(), async ([answers, reordered], seed) => {
        expect(await vote(reordered, seed)).toEqual(await vote(answers, seed));
      }),
    );
  });

  it('does not depend on the order of agents when equality is not transitive', async () => {
    const close = (a: string, b: string) => Math.abs(Number(a) - Number(b)) <= 1;
    await fc.assert(
      fc.asyncProperty(withAnotherOrder, async ([answers, reordered]) => {
        expect(await majorityVote(reordered, close, tieBreak)).toEqual(
          await majorityVote(answers, close, tieBreak),
        );
      }),
    );
  });

  it('does not depend on how long the equality takes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), anyVotes, async (scheduler, answers) => {
        const later = scheduler.scheduleFunction(async (a: string, b: string) => sameNumber(a, b));
        const consensus = await scheduler.waitFor(majorityVote(answers, later, tieBreak));
        expect(consensus).toEqual(await vote(answers));
      }),
    );
  });

  it.each([
    ['two', ['9', '10']],
    ['three', ['10', '9', '8']],
    ['four', ['7', '8', '9', '10']],
  ])('lets each of %s tied answers win equally often, for all positions of its agent', async (_, answers) => {
    const winners: string[] = [];
    for (let seed = 0; seed < 4000; seed++) {
      const { answer, tied } = await vote(answers, seed);
      expect(tied).toBe(answers.length);
      winners.push(answer ?? 'none');
    }
    const wins = tally(winners);
    expect(Object.keys(wins).toSorted()).toEqual(answers.toSorted());
    // At most 3 degrees of freedom: 16.3 is exceeded less than once in a thousand.
    expect(chiSquare(Object.values(wins))).toBeLessThan(16.3);
    expect(chiSquare(answers.map((answer) => wins[answer] ?? 0))).toBeLessThan(16.3);
  });

  it('draws the ties of different questions independently', async () => {
    const winners = new Set<string>();
    const pairs: string[] = [];
    for (let question = 0; question < 2000; question++) {
      const at = (purpose: string) => ({ ...tieBreak, purpose, question: `train-${question}` });
      const first = await majorityVote(['7', '8'], sameNumber, at('majority'));
      const last = await majorityVote(['7', '8'], sameNumber, at('consensus'));
      winners.add(`${last.answer}`);
      pairs.push(`${first.answer} then ${last.answer}`);
    }
    expect(winners.size).toBe(2);
    expect(chiSquare(Object.values(tally(pairs)))).toBeLessThan(16.3);
  });

  it('does not ask whether an answer equals itself', async () => {
    const never = () => {
      throw new Error('asked');
    };
    expect(await majorityVote(['7', '7', null], never, tieBreak)).toMatchObject({ answer: '7', votes: 2 });
  });

  it('passes on the error of an equality that fails', async () => {
    const broken = async () => Promise.reject(new Error('the grader died'));
    await expect(majorityVote(['7', '8'], broken, tieBreak)).rejects.toThrow('the grader died');
  });
});
