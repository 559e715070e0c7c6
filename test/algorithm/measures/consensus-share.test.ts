import { describe, expect, it } from 'vitest';
import { consensusShare, distinctAnswers } from '../../../src/algorithm/measures/answers.ts';

describe('the answers of a round', () => {
  it.each([
    ['all equal', [4, 4, 4], 1, 1],
    ['two against one', [4, 4, 7], 2 / 3, 2],
    ['all different', [4, 7, 9], 1 / 3, 3],
    ['two against two, a tie', [4, 7, 7, 4], 1 / 2, 2],
    ['one that could not be parsed', [4, null, 4], 2 / 3, 1],
    ['none that could be parsed', [null, null, null], 0, 0],
  ])('%s', (_, classes, share, distinct) => {
    expect(consensusShare(classes)).toBeCloseTo(share, 12);
    expect(distinctAnswers(classes)).toBe(distinct);
  });
});
