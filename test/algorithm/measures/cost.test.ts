import { describe, expect, it } from 'vitest';
import { cost, pointsPerMillionTokens } from '../../../src/algorithm/measures/cost.ts';

const used = {
  tokens: {
    debate: { prompt: 100, completion: 40 },
    evaluation: { prompt: 60, completion: 20 },
    fineTune: 300,
  },
  seconds: { debate: 10, evaluation: 6, datasets: 1, fineTune: 20, total: 45 },
};

describe('the cost of a method', () => {
  it('counts tokens of training and held-out debates, and tokens trained on', () => {
    expect(cost(used)).toEqual({
      tokensIn: 160,
      tokensOut: 60,
      tokensTrained: 300,
      tokens: 520,
      // 10 + 6 + 20: datasets are made without a device.
      deviceSeconds: 36,
      wallSeconds: 45,
    });
  });

  it('is compared with the points gained', () => {
    // 58.8 % from 45.6 % with 4.4 million tokens: 13.2 / 4.4.
    expect(pointsPerMillionTokens(0.588, 0.456, 4_400_000)).toBeCloseTo(3, 9);
    expect(pointsPerMillionTokens(0.4, 0.5, 1_000_000)).toBeCloseTo(-10, 9);
    expect(pointsPerMillionTokens(0.5, 0.5, 0)).toBeNull();
  });
});
