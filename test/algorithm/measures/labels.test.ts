import { describe, expect, it } from 'vitest';
import { type JudgedLabel, judgeLabel, labelQuality } from '../../../src/algorithm/measures/labels.ts';
import { numbers, said, scripted } from '../scripted-debate.ts';

/** A debate of three agents in two rounds, by their answers. */
const debated = (...answers: readonly (readonly [string | null, string | null])[]) =>
  scripted(answers.map(([first, second], agent) => [said(agent + 1, 1, first), said(agent + 1, 2, second)]));
const gold = (answer: string) => ({ questionId: 'q', answer });

describe('a label beside the gold answer', () => {
  it('is right or wrong, and divides the first answers into chosen and rejected ones', async () => {
    const debate = await debated(['7', '8'], ['8', '8'], ['8.0', '7']);
    // Two agents end in 8: both first answers of 8 are chosen, and 7 is rejected.
    expect(await judgeLabel(debate, gold('8'), numbers)).toMatchObject({
      votes: 2,
      tied: 1,
      right: true,
      chosen: { right: 2, of: 2 },
      rejected: { right: 0, of: 1 },
    });
    expect(await judgeLabel(debate, gold('7'), numbers)).toMatchObject({
      right: false,
      chosen: { right: 0, of: 2 },
      rejected: { right: 1, of: 1 },
    });
  });

  it('counts an answer that could not be read among the rejected ones, and is none without any answer', async () => {
    const debate = await debated([null, '8'], ['8', '8'], ['9', null]);
    expect(await judgeLabel(debate, gold('8'), numbers)).toMatchObject({
      chosen: { right: 1, of: 1 },
      rejected: { right: 0, of: 2 },
    });
    expect(await judgeLabel(await debated([null, null], [null, null]), gold('8'), numbers)).toBeNull();
  });
});

describe('the quality of labels', () => {
  const label = (questionId: string, votes: number, right: boolean): JudgedLabel => ({
    questionId,
    votes,
    tied: 1,
    right,
    chosen: { right: right ? votes : 0, of: votes },
    rejected: { right: right ? 0 : 1, of: 3 - votes },
  });
  const labels = [
    label('a', 3, true),
    label('b', 3, true),
    label('c', 2, true),
    label('d', 2, false),
    label('e', 1, false),
  ];

  it('is the precision by the number of votes, and of those with enough votes to be learnt from', () => {
    const quality = labelQuality(labels, { minVotes: 2 });
    expect(quality.byVotes.map(({ votes, precision }) => [votes, precision!.value, precision!.of])).toEqual([
      [1, 0, 1],
      [2, 1 / 2, 2],
      [3, 1, 2],
    ]);
    expect(quality.precision).toMatchObject({ value: 3 / 4, of: 4 });
    expect(quality.precision!.standardError).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 4), 12);
  });

  it('has how right the chosen answers are, and how wrong the rejected ones', () => {
    const { chosenRight, rejectedWrong } = labelQuality(labels, { minVotes: 2 });
    // Of 3 + 3 + 2 + 2 chosen ones all but the two of d; of the rejected ones of c and d one is right.
    expect(chosenRight).toMatchObject({ value: 8 / 10, of: 10 });
    expect(rejectedWrong).toMatchObject({ value: 1 / 2, of: 2 });
  });

  it('counts a question of several seeds once, and is unknown without labels', () => {
    expect(labelQuality([...labels, ...labels], { minVotes: 2 }).precision).toMatchObject({
      of: 8,
      questions: 4,
    });
    expect(labelQuality([], { minVotes: 1 })).toEqual({
      byVotes: [],
      precision: null,
      chosenRight: null,
      rejectedWrong: null,
    });
  });
});
