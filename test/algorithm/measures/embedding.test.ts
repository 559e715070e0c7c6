import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddingDissimilarity, ngramEmbedding } from '../../../src/algorithm/measures/diversity.ts';

describe('the embedding dissimilarity', () => {
  it.each([
    [
      'equal directions',
      [
        [1, 0],
        [2, 0],
      ],
      0,
    ],
    [
      'right angles',
      [
        [1, 0],
        [0, 3],
      ],
      1,
    ],
    [
      'opposite directions',
      [
        [1, 0],
        [-1, 0],
      ],
      2,
    ],
    // Cosines 1/sqrt(2), 0 and 1/sqrt(2): 1 - sqrt(2)/3.
    [
      'three vectors',
      [
        [1, 0],
        [1, 1],
        [0, 1],
      ],
      1 - Math.SQRT2 / 3,
    ],
    [
      'an empty response',
      [
        [0, 0],
        [1, 0],
      ],
      1,
    ],
  ])('of %s', (_, vectors, expected) => {
    expect(embeddingDissimilarity(vectors)).toBeCloseTo(expected, 12);
  });

  it('is null for one response, and refuses vectors of different encoders', () => {
    expect(embeddingDissimilarity([[1, 0]])).toBeNull();
    expect(() =>
      embeddingDissimilarity([
        [1, 0],
        [1, 0, 0],
      ]),
    ).toThrow(RangeError);
  });
});

describe('the n-gram encoder', () => {
  const dissimilarity = (...texts: string[]) => embeddingDissimilarity(texts.map(ngramEmbedding))!;

  const lengthOf = (vector: Float64Array) => Math.sqrt(vector.reduce((sum, each) => sum + each * each, 0));

  it('gives vectors of unit length, the same for the same text, and zeros for an empty text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const vector = ngramEmbedding(text);
        expect(vector).toEqual(ngramEmbedding(text));
        expect([0, 1]).toContainEqual(Number(lengthOf(vector).toFixed(9)));
      }),
    );
    expect(lengthOf(ngramEmbedding(' \n'))).toBe(0);
  });

  it('ignores case and runs of blanks', () => {
    expect(dissimilarity('So  x = 4.\n', 'so x = 4.')).toBeCloseTo(0, 12);
  });

  it('finds a changed digit nearer than another method, and another method nearer than another language', () => {
    const proof = 'First multiply 3 by 8, which is 24. Then add 12 to get 36. The answer is \\boxed{36}.';
    const slip = 'First multiply 3 by 8, which is 24. Then add 12 to get 37. The answer is \\boxed{37}.';
    const other = 'We write 12 + 3 * 8 as 12 + 24 and see at once that it equals \\boxed{36}.';
    const foreign = 'Задача решается просто: произведение, затем сумма.';
    expect(dissimilarity(proof, slip)).toBeLessThan(0.15);
    expect(dissimilarity(proof, other)).toBeGreaterThan(dissimilarity(proof, slip) + 0.2);
    expect(dissimilarity(proof, foreign)).toBeGreaterThan(dissimilarity(proof, other));
  });

  it('finds texts without a common character unrelated', () => {
    // 50 and 66 n-grams in 1,024 places with random signs: a cosine of chance has a standard deviation of 1 / sqrt(1024) = 0.03.
    expect(dissimilarity('abcdefghijklmnop', '0123456789 + * / () = - , ; :')).toBeCloseTo(1, 0.8);
  });
});
