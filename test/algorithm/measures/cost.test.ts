import { describe, expect, it } from 'vitest';
import {
  addEarlyStop,
  cost,
  noEarlyStop,
  pointsPerMillionTokens,
  tokensSaved,
  type Used,
} from '../../../src/algorithm/measures/cost.ts';

const used = (tokensIn: number, tokensOut: number, tokensTrained: number, deviceSeconds: number): Used => ({
  tokensIn,
  tokensOut,
  tokensTrained,
  deviceSeconds,
});

describe('the cost of a method', () => {
  it('is what its training took, and what one answer takes at the end', () => {
    const found = cost([used(100, 40, 300, 30), used(110, 50, 400, 36)], used(60, 20, 0, 6), 10);
    expect(found.training).toEqual(used(210, 90, 700, 66));
    expect(found.answer.tokensIn).toBeCloseTo(6, 12);
    expect(found.answer.tokensOut).toBeCloseTo(2, 12);
    expect(found.answer.deviceSeconds).toBeCloseTo(0.6, 12);
    // 210 + 90 + 700 for the training, and 80 for ten answers.
    expect(found.tokens).toBe(1080);
  });

  it('is the answers alone where nothing is trained', () => {
    expect(cost([], used(60, 20, 0, 6), 10)).toMatchObject({ training: used(0, 0, 0, 0), tokens: 80 });
  });

  it('is compared with the points gained', () => {
    // 58.8 % from 45.6 % with 4.4 million tokens: 13.2 / 4.4.
    expect(pointsPerMillionTokens(0.588, 0.456, 4_400_000)).toBeCloseTo(3, 9);
    expect(pointsPerMillionTokens(0.4, 0.5, 1_000_000)).toBeCloseTo(-10, 9);
    expect(pointsPerMillionTokens(0.5, 0.5, 0)).toBeNull();
  });
});

describe('the tokens that early stops saved', () => {
  const went = { ...noEarlyStop, debates: 2, firstRoundTokens: 100, laterTokens: 300 };
  const stopped = (tokens: number) => ({ ...noEarlyStop, debates: 1, stopped: 1, stoppedTokens: tokens });

  it('are as many times the first rounds of the stopped debates as later rounds cost the others', () => {
    expect(tokensSaved(addEarlyStop(went, addEarlyStop(stopped(20), stopped(30))))).toBe(150);
  });

  it('are none where no debate was stopped, and unknown where none went on', () => {
    expect(tokensSaved(went)).toBe(0);
    expect(tokensSaved(noEarlyStop)).toBe(0);
    expect(tokensSaved(stopped(20))).toBeNull();
  });
});
