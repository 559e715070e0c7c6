import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draw, type DrawKey, seedFor, shuffle } from '../../src/algorithm/random.ts';
import { chiSquare, tally } from './chi-square.ts';

const anyKey: fc.Arbitrary<DrawKey> = fc.record(
  {
    seed: fc.nat(),
    iteration: fc.nat({ max: 100 }),
    purpose: fc.string(),
    question: fc.string({ unit: 'binary' }),
    agent: fc.integer({ min: 1, max: 20 }),
    round: fc.integer({ min: 1, max: 10 }),
  },
  { requiredKeys: ['seed', 'iteration', 'purpose'] },
);

describe('seedFor', () => {
  it.each<[DrawKey, number]>([
    [
      { seed: 0, iteration: 0, purpose: 'generation', question: 'heldout-00000', agent: 1, round: 1 },
      247224798,
    ],
    [{ seed: 0, iteration: 1, purpose: 'critic', question: 'train-00017', agent: 3, round: 2 }, 648817411],
    [{ seed: 7, iteration: 1, purpose: 'consensus', question: 'train-00017' }, 338698289],
    [{ seed: 2147483647, iteration: 5, purpose: 'corrected', agent: 2 }, 1247271957],
  ])('gives %j the same seed in every release', (key, seed) => {
    expect(seedFor(key)).toBe(seed);
  });

  it('is the upper 31 bits of the SHA-256 of the key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const text = JSON.stringify([
          key.seed,
          key.iteration,
          key.purpose,
          key.question ?? '',
          key.agent ?? '',
          key.round ?? '',
        ]);
        const expected = createHash('sha256').update(text).digest().readUInt32BE() >>> 1;
        expect(seedFor(key)).toBe(expected);
        expect(expected).toBeGreaterThanOrEqual(0);
        expect(expected).toBeLessThanOrEqual(2 ** 31 - 1);
      }),
    );
  });

  it('depends on every part of the key', () => {
    const key = { seed: 1, iteration: 2, purpose: 'critic', question: 'q', agent: 1, round: 2 };
    const others: DrawKey[] = [
      { ...key, seed: 2 },
      { ...key, iteration: 1 },
      { ...key, purpose: 'generation' },
      { ...key, question: 'q2' },
      { ...key, agent: 2 },
      { ...key, round: 1 },
      { seed: 1, iteration: 2, purpose: 'critic', question: 'q', agent: 1 },
      { seed: 1, iteration: 2, purpose: 'critic', question: 'q', round: 1 },
      { seed: 1, iteration: 2, purpose: 'critic' },
    ];
    expect(new Set([key, ...others].map(seedFor)).size).toBe(others.length + 1);
  });

  it('spreads the requests of an iteration evenly over its range', () => {
    const seeds: number[] = [];
    for (let question = 0; question < 2000; question++) {
      for (let agent = 1; agent <= 3; agent++) {
        for (let round = 1; round <= 2; round++) {
          seeds.push(
            seedFor({
              seed: 0,
              iteration: 1,
              purpose: 'critic',
              question: `train-${question}`,
              agent,
              round,
            }),
          );
        }
      }
    }
    const buckets = tally(seeds.map((seed) => Math.floor(seed / 2 ** 27)));
    expect(Object.keys(buckets)).toHaveLength(16);
    // 15 degrees of freedom: 37.7 is exceeded once in a thousand.
    expect(chiSquare(Object.values(buckets))).toBeLessThan(37.7);
    expect(new Set(seeds).size).toBeGreaterThan(seeds.length - 3);
  });
});

describe('draw', () => {
  it.each([1, 2, 3, 4, 5, 7])('gives each of %i outcomes equally often', (count) => {
    const outcomes = Array.from({ length: 6000 }, (_, seed) =>
      draw({ seed, iteration: 1, purpose: 'consensus', question: 'train-00017' }, count),
    );
    const counts = tally(outcomes);
    expect(Object.keys(counts).map(Number)).toEqual(Array.from({ length: count }, (_, index) => index));
    // At most 6 degrees of freedom: 22.5 is exceeded less than once in a thousand.
    expect(chiSquare(Object.values(counts))).toBeLessThan(22.5);
  });

  it('is always the same for the same key', () => {
    fc.assert(
      fc.property(anyKey, fc.integer({ min: 1, max: 100 }), (key, count) => {
        expect(draw(key, count)).toBe(draw({ ...key }, count));
      }),
    );
  });
});

describe('shuffle', () => {
  it('keeps every item exactly once and does not change the list itself', () => {
    fc.assert(
      fc.property(anyKey, fc.array(fc.integer()), (key, items) => {
        const before = [...items];
        const shuffled = shuffle(key, items);
        expect(shuffled.toSorted((a, b) => a - b)).toEqual(before.toSorted((a, b) => a - b));
        expect(items).toEqual(before);
        expect(shuffle(key, items)).toEqual(shuffled);
      }),
    );
  });

  it.each([
    [2, 2, 10.83],
    [3, 6, 20.5],
    [4, 24, 49.7],
  ])('gives %i items each of their %i orders equally often', (count, orders, limit) => {
    const letters = ['a', 'b', 'c', 'd'].slice(0, count);
    const seen = Array.from({ length: 12_000 }, (_, seed) =>
      shuffle({ seed, iteration: 1, purpose: 'others', question: 'q', agent: 1, round: 2 }, letters).join(''),
    );
    const counts = Object.values(tally(seen));
    expect(counts).toHaveLength(orders);
    expect(chiSquare(counts)).toBeLessThan(limit);
  });
});
