import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidConfig } from '../../src/config/faults.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { loadTask } from './load-task.ts';

function config(task: object, seed = 0) {
  return resolveConfig({
    preset: 'paper',
    seed,
    task: { kind: 'arithmetic', train_size: 50, test_size: 40, ...task },
  });
}

describe('the arithmetic task', () => {
  it('gives numbered questions without answers, their labels apart, and held-out questions with answers', async () => {
    const { train, trainLabels, heldOut } = await loadTask(config({}));
    expect(train).toHaveLength(50);
    expect(heldOut).toHaveLength(40);
    expect(train[17]).toEqual({
      id: 'train-00017',
      text: expect.stringMatching(/^\d+\+\d+\*\d+\+\d+-\d+\*\d+$/),
    });
    expect(trainLabels[17]).toEqual({ questionId: 'train-00017', answer: expect.stringMatching(/^-?\d+$/) });
    expect(heldOut[3]).toEqual({ id: 'heldout-00003', text: expect.any(String), answer: expect.any(String) });
    expect(Object.keys(train[0]!)).toEqual(['id', 'text']);
  });

  it('asks no question twice, and never a held-out one in training, whatever the form and the seed', async () => {
    const forms = fc.constantFrom('a+b', 'a*b-c', 'a+b*c-d', 'a-a+b', 'a+b*c+d-e*f');
    await fc.assert(
      fc.asyncProperty(forms, fc.nat({ max: 1000 }), async (form, seed) => {
        const { train, heldOut } = await loadTask(
          config({ form, range: [0, 12], train_size: 60, test_size: 60 }, seed),
        );
        expect(new Set([...train, ...heldOut].map(({ text }) => text)).size).toBe(120);
      }),
      { numRuns: 25 },
    );
  });

  it('knows the right answers', async () => {
    const task = { form: 'a-b*c*d+e-f', ranges: { a: [0, 9], c: [10, 99] } };
    const { train, trainLabels, heldOut } = await loadTask(config(task));
    for (const [index, { text }] of train.entries())
      expect(trainLabels[index]?.answer).toBe(String(evaluated(text)));
    for (const { text, answer } of heldOut) expect(answer).toBe(String(evaluated(text)));
  });

  it('is exact where a double is not', async () => {
    const { heldOut } = await loadTask(config({ form: 'a*a*a+b', range: [999_999_000, 1_000_000_000] }));
    for (const { text, answer } of heldOut) {
      const [a = 0n, , , b = 0n] = text.split(/[*+]/).map(BigInt);
      expect(BigInt(answer)).toBe(a * a * a + b);
    }
  });

  it('keeps every letter in its range, and the same letter the same number', async () => {
    const { train } = await loadTask(
      config({ form: 'a+b*a', range: [2, 39], ranges: { b: [40, 49], z: [1, 1] } }),
    );
    for (const { text } of train) {
      const [first, b, again] = text.split(/[*+]/).map(Number);
      expect(first).toBe(again);
      expect(first).toBeGreaterThanOrEqual(2);
      expect(first).toBeLessThanOrEqual(39);
      expect(b).toBeGreaterThanOrEqual(40);
      expect(b).toBeLessThanOrEqual(49);
    }
  });

  it('depends on the seed and on nothing else', async () => {
    expect(await loadTask(config({}, 1))).toEqual(await loadTask(config({}, 1)));
    expect(await loadTask(config({}, 1))).not.toEqual(await loadTask(config({}, 2)));
  });

  it('holds out the same questions however many are trained on', async () => {
    const few = await loadTask(config({ train_size: 5 }));
    const many = await loadTask(config({ train_size: 500 }));
    expect(few.heldOut).toEqual(many.heldOut);
    expect(many.train.slice(0, 5)).toEqual(few.train);
  });

  it('can ask every question that there is', async () => {
    const { train, heldOut } = await loadTask(
      config({ form: 'a+b', range: [0, 99], train_size: 9_000, test_size: 1_000 }),
    );
    expect(new Set([...train, ...heldOut].map(({ text }) => text)).size).toBe(10_000);
  });

  it('refuses to ask more, with the numbers', async () => {
    const loading = loadTask(config({ form: 'a+b', range: [0, 9], train_size: 70, test_size: 31 }));
    await expect(loading).rejects.toThrow(InvalidConfig);
    await expect(loading).rejects.toThrow(
      '70 training and 31 held-out questions were asked for, but a+b with these ranges has only 100',
    );
  });
});

/** By another way than the product's: products first, then from left to right in doubles. */
function evaluated(expression: string): number {
  const terms = expression.replaceAll('-', '+-').split('+');
  const product = (term: string) => term.split('*').reduce((value, factor) => value * Number(factor), 1);
  return terms.reduce((sum, term) => sum + product(term), 0);
}
