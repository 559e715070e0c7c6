import { describe, expect, it } from 'vitest';
import { summaryEffect } from '../../../src/algorithm/measures/flips.ts';
import { graded } from './graded.ts';

/** @param debates of each the agents' answers, a letter a round: R is right */
function effectOn(...debates: (readonly string[])[]) {
  const effect = summaryEffect();
  for (const [index, agents] of debates.entries()) effect.add(`q${index}`, graded(...agents));
  return effect.result();
}

describe('the effect of summaries', () => {
  it('is the share of answers after a summary that were helped, and that were harmed', () => {
    const { helped, harmed, net } = effectOn(['aR', 'RR', 'aR'], ['Ra', 'aa', 'aa'], ['R', 'R', 'R']);
    // Six answers came after a summary, as the third debate was stopped before: two became right, one wrong.
    expect(helped).toMatchObject({ value: 2 / 6, of: 6 });
    expect(harmed).toMatchObject({ value: 1 / 6, of: 6 });
    // By question 2 and -1 of 3 each, R = 1/6: residuals 1.5 and -1.5, sqrt(4.5) / 6.
    expect(net!.value).toBeCloseTo(1 / 6, 12);
    expect(net!.standardError).toBeCloseTo(Math.sqrt(4.5) / 6, 12);
  });

  it('counts every round after the first', () => {
    expect(effectOn(['aRa']).helped).toMatchObject({ value: 1 / 2, of: 2 });
  });

  it('is null where no summary was shown', () => {
    expect(effectOn(['R', 'a'])).toEqual({ helped: null, harmed: null, net: null });
  });
});
