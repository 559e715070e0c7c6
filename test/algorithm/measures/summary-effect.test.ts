import { describe, expect, it } from 'vitest';
import { summaryEffect } from '../../../src/algorithm/measures/summary-effect.ts';
import { graded } from './graded.ts';

const held = (questionId: string, correct: boolean, ...agents: string[]) => ({
  questionId,
  right: graded(...agents).right,
  debate: { correct },
});

describe('the effect of summaries', () => {
  const withSummaries = [
    held('q-1', true, 'aR', 'RR', 'aR'),
    held('q-2', false, 'Ra', 'aa', 'aa'),
    held('q-3', true, 'R', 'R', 'R'),
  ];
  const without = [held('q-2', true, 'RR'), held('q-1', false, 'aa'), held('q-9', true, 'RR')];

  it('is the share of answers helped, and harmed, of those given after one', () => {
    const { helped, harmed, net } = summaryEffect(withSummaries, without);
    // Six answers came after a summary, as the third debate was stopped before: two became right, one wrong.
    expect(helped).toMatchObject({ value: 2 / 6, of: 6 });
    expect(harmed).toMatchObject({ value: 1 / 6, of: 6 });
    // By question 2 and -1 of 3 each, R = 1/6: residuals 1.5 and -1.5, sqrt(4.5) / 6.
    expect(net!.value).toBeCloseTo(1 / 6, 12);
    expect(net!.standardError).toBeCloseTo(Math.sqrt(4.5) / 6, 12);
  });

  it('counts every round after the first', () => {
    expect(summaryEffect([held('q-1', true, 'aRa')], []).helped).toMatchObject({ value: 1 / 2, of: 2 });
  });

  it('is set against the debates without, question by question', () => {
    const { versusWithout } = summaryEffect(withSummaries, without);
    expect(versusWithout).toEqual({ wins: 1, losses: 1, pValue: 1, questions: 2, difference: 0 });
  });

  it('of no common question is no difference, on no questions', () => {
    expect(summaryEffect(withSummaries, []).versusWithout).toEqual({
      wins: 0,
      losses: 0,
      pValue: 1,
      questions: 0,
      difference: 0,
    });
  });
});
