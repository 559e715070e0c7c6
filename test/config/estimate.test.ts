import { describe, expect, it } from 'vitest';
import { estimate } from '../../src/config/estimate.ts';
import { resolveConfig } from '../../src/config/resolve.ts';

const questions = { train: 300, heldOut: 500, transfer: 0, characters: 8 };

describe('what an experiment is expected to take', () => {
  it('is near what the quickstart took: 956,025 tokens read and 491,830 written in 17,400 answers', () => {
    const { answers, tokens } = estimate(resolveConfig({ preset: 'quickstart' }), questions);
    expect(answers).toBe(17_400);
    expect(Math.abs(tokens.read / 956_025 - 1)).toBeLessThan(0.1);
    expect(Math.abs(tokens.written / 491_830 - 1)).toBeLessThan(0.1);
  });

  it('counts only held-out questions where nothing is trained, and summaries where there are any', () => {
    const base = resolveConfig({ preset: 'quickstart', method: 'debate' });
    expect(estimate(base, questions)).toMatchObject({ answers: 500 * 3 * 2, steps: 0 });
    expect(estimate({ ...base, summarize: true }, questions).answers).toBe(500 * 3 * 3);
    expect(estimate({ ...base, equal_tokens: true }, questions).answers).toBe(2 * 500 * 3 * 2);
    expect(estimate(base, { ...questions, transfer: 100 }).answers).toBe(600 * 3 * 2);
  });

  it('counts the one model of the group: a fine-tune more, and one answer to each held-out question', () => {
    const plain = resolveConfig({ preset: 'quickstart' });
    const before = estimate(plain, questions);
    const after = (distill: object) => estimate(resolveConfig({ preset: 'quickstart', distill }), questions);
    // 15 of 20 answers of 300 x 3 equal the label in the end; 16 rows a step, 2 epochs. At most one pair of a question.
    expect(after({}).steps - before.steps).toBe(2 * Math.ceil(675 / 16));
    expect(after({ from: 'best' }).steps - before.steps).toBe(2 * Math.ceil(225 / 16));
    expect(after({ objective: 'dpo' }).steps - before.steps).toBe(2 * Math.ceil(300 / 16));
    expect(after({}).answers - before.answers).toBe(500);
    expect(after({}).trainedTokens).toBeGreaterThan(before.trainedTokens);
  });
});
