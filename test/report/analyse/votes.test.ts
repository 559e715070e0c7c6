import { describe, expect, it } from 'vitest';
import { type Script, times } from '../scripted-study.ts';
import { against, analysed, debateRight, row } from './analysed-study.ts';

describe('the majority at equal tokens', () => {
  const scripts: Script[] = [
    { method: 'majority', iterations: [debateRight(20)] },
    {
      method: 'debate',
      iterations: [debateRight(20)],
      votes: [[...times(25, 'RRRRRRR'), ...times(15, 'WWWWWWW')]],
    },
    {
      method: 'multiagent-ft',
      iterations: [debateRight(20), debateRight(30)],
      votes: [times(40, 'RRRRR'), [...times(28, 'RRRRR'), ...times(12, 'WWWWW')]],
    },
  ];

  it('is a row before the debate, that says of how many answers, and is compared with the reference', async () => {
    const analysis = await analysed(scripts);
    expect(analysis.settings[0]!.contenders.map(({ title }) => title)).toEqual([
      'Majority',
      'Majority at equal tokens (of 7)',
      'Debate',
      'Multiagent FT',
      'Multiagent FT: vote over first answers',
      'Multiagent FT: majority at equal tokens (of 5)',
    ]);
    expect(row(analysis, 'majority-at-equal-tokens').curve[0]!.accuracy).toBeCloseTo(25 / 40, 12);
    expect(against(analysis, 'majority-at-equal-tokens', 'first')).toMatchObject({ wins: 5, losses: 0 });
  });

  it('stands beside every debate, before training and after the last iteration', async () => {
    const analysis = await analysed(scripts);
    const beside = row(analysis, 'multiagent-ft').own!.besideDebate;
    expect(
      beside.map(({ iteration, votes, debate, majority }) => ({ iteration, votes, debate, majority })),
    ).toEqual([
      { iteration: 0, votes: [5], debate: 0.5, majority: 1 },
      { iteration: 1, votes: [5], debate: 0.75, majority: 0.7 },
    ]);
    expect(beside[1]!.difference).toMatchObject({ wins: 2, losses: 0, pValue: 0.5 });
  });
});

describe('votes of trained agents', () => {
  // The first answers are right on 30 of 40 questions; the debate saves 4 others and spoils 18.
  const spoilt = [
    ...times(12, 'RRR>RRR'),
    ...times(18, 'RRW>WWW'),
    ...times(4, 'WWW>RRR'),
    ...times(6, 'WWW>WWW'),
  ];
  const scripts: Script[] = [
    { method: 'debate', iterations: [debateRight(20)] },
    { method: 'star', iterations: [debateRight(20), debateRight(24)] },
    {
      method: 'multiagent-ft',
      iterations: [debateRight(20), spoilt, spoilt],
      votes: [debateRight(20), debateRight(25), debateRight(26)],
    },
  ];

  it('are rows after each iteration: over the first answers, and at equal tokens', async () => {
    const analysis = await analysed(scripts);
    const curve = (key: string) => row(analysis, key).curve.map(({ accuracy: share }) => share * 40);
    expect(curve('multiagent-ft')).toEqual([20, 16, 16]);
    expect(curve('multiagent-ft:first-vote')).toEqual([20, 30, 30]);
    expect(curve('multiagent-ft:equal-tokens')).toEqual([20, 25, 26]);
    expect(curve('star:first-vote')).toEqual([20, 24]);
    // The methods alone are compared with the reference.
    expect(new Set(analysis.comparisons.map(({ other }) => other))).toEqual(new Set(['debate', 'star']));
  });

  it('stand beside the debate after each iteration, question by question', async () => {
    const { firstVotes, besideDebate } = row(await analysed(scripts), 'multiagent-ft').own!;
    expect(
      firstVotes.map(({ iteration, difference }) => [iteration, difference.wins, difference.losses]),
    ).toEqual([
      [0, 0, 0],
      [1, 4, 18],
      [2, 4, 18],
    ]);
    expect(besideDebate.map(({ iteration }) => iteration)).toEqual([0, 1, 2]);
  });
});

describe('a majority of as many answers as have the written tokens of a debate', () => {
  // The fixture's debates write 50 tokens; these votes of 5 answers write 80, so 50 is 3 of them.
  const voteTokens = { prompt: 500, completion: 80 };

  it('is that of the first answers of the vote at equal tokens', async () => {
    const votes = [[...times(10, 'RRWWW'), ...times(10, 'WRWRR'), ...times(20, 'WWWWW')]];
    const analysis = await analysed([{ method: 'debate', iterations: [debateRight(20)], votes, voteTokens }]);
    const [beside] = row(analysis, 'debate').own!.besideDebate;
    // Of five answers the second ten are right, of the first three the first ten.
    expect(beside).toMatchObject({ votes: [5], majority: 10 / 40 });
    expect(beside!.written).toMatchObject({ votes: [3], majority: 10 / 40 });
    expect(beside!.written!.difference).toMatchObject({ wins: 10, losses: 0 });
  });

  it('settles ties by a draw: two of four classes are right half the time', async () => {
    const votes = [times(400, 'RWAAA')];
    const settings = {
      method: 'debate',
      iterations: [times(400, 'RRR>RRR')],
      voteTokens: { prompt: 1, completion: 125 },
    };
    const analysis = await analysed([{ ...settings, votes } as Script]);
    const { written } = row(analysis, 'debate').own!.besideDebate[0]!;
    expect(written!.votes).toEqual([2]);
    expect(Math.abs(written!.majority - 0.5)).toBeLessThan(3 * Math.sqrt(0.25 / 400));
  });

  it('is unknown where the debate wrote more than all of them, or nothing was counted', async () => {
    const written = async (completion: number) => {
      const script = {
        method: 'debate' as const,
        iterations: [debateRight(20)],
        votes: [times(40, 'RRRRR')],
      };
      const analysis = await analysed([{ ...script, voteTokens: { prompt: 500, completion } }]);
      return row(analysis, 'debate').own!.besideDebate[0]!.written;
    };
    expect(await written(40)).toBeNull();
    expect(await written(0)).toBeNull();
  });
});
