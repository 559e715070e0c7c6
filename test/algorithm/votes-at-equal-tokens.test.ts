import { expect, it } from 'vitest';
import { votesAtEqualTokens } from '../../src/algorithm/measures/cost.ts';

it('a majority at equal tokens has the number of answers that costs the same as the debate', () => {
  // 3 first answers cost 60, so one costs 20; the debate costs 300.
  expect(votesAtEqualTokens(3, { prompt: 200, completion: 100, firstRound: 60 })).toBe(15);
});

it('a majority at equal tokens has at least the first answers of the debate', () => {
  expect(votesAtEqualTokens(3, { prompt: 40, completion: 20, firstRound: 60 })).toBe(3);
});

it('without counted tokens there is no majority at equal tokens', () => {
  expect(votesAtEqualTokens(3, { prompt: 0, completion: 0, firstRound: 0 })).toBeNull();
});

it('a majority at equal tokens is not measured when it would need hundreds of thousands of answers by the server’s count of tokens', () => {
  expect(votesAtEqualTokens(3, { prompt: 9_600_000, completion: 100, firstRound: 180 })).toBeNull();
  // One more than 500 answers of 20 tokens each.
  expect(votesAtEqualTokens(3, { prompt: 10_000, completion: 0, firstRound: 60 })).toBe(500);
  expect(votesAtEqualTokens(3, { prompt: 10_020, completion: 0, firstRound: 60 })).toBeNull();
});
