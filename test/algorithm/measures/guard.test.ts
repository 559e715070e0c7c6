import { describe, expect, it } from 'vitest';
import { guardPower } from '../../../src/algorithm/measures/comparison.ts';
import { draws } from '../../../src/algorithm/random.ts';

describe('the guard of a series', () => {
  it('of 24 held-out questions has steps of 4.2 points, and rejects two nights of five by chance', () => {
    const { oneQuestion, falseRejection, detectable } = guardPower(24, 0.03);
    expect(oneQuestion).toBeCloseTo(0.0417, 4);
    // The first loss that is rejected is one question: P(Z > (1/24 - 1/48) / sqrt(0.2 / 24)) = P(Z > 0.2282).
    expect(falseRejection).toBeCloseTo(0.4097, 3);
    expect(detectable).toBeCloseTo(1 / 48 + 0.8416 * 0.09129, 4);
  });

  it('of 500 held-out questions rejects few nights by chance', () => {
    // The first rejected loss is 16 questions: P(Z > (16/500 - 1/1000) / 0.02) = P(Z > 1.55).
    expect(guardPower(500, 0.03).falseRejection).toBeCloseTo(0.0606, 3);
  });

  it('rejects by chance as often as it is said, in many drawn nights', () => {
    const draw = draws({ seed: 1, iteration: 0, purpose: 'guard' });
    const nights = 4000;
    const questions = 100;
    let rejected = 0;
    for (let night = 0; night < nights; night++) {
      let lost = 0;
      for (let question = 0; question < questions; question++) {
        const u = draw(1000) / 1000;
        if (u < 0.2) lost += u < 0.1 ? 1 : -1;
      }
      if (lost / questions > 0.03 + 1e-9) rejected += 1;
    }
    expect(rejected / nights).toBeCloseTo(guardPower(questions, 0.03).falseRejection, 1);
  });
});
