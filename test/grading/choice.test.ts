import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createGrader } from '../../src/grading/grader.ts';

const grader = createGrader();
afterAll(() => grader.close());

/** The equality of the pair in both orders, which must agree. */
async function equal(a: string, b: string): Promise<boolean> {
  const verdict = await grader.equal(a, b);
  expect(await grader.equal(b, a)).toBe(verdict);
  return verdict;
}

describe('the choice of a multiple choice question', () => {
  it.each([
    ['(B) Paris', 'B'],
    ['(B) Paris', '(B)'],
    ['(B) Paris', 'b'],
    ['(B) Paris', '\\text{B}'],
    ['(B) Paris', '\\textbf{(B)}'],
    ['(B) Paris', 'Option B'],
    ['(B) Paris', 'Paris'],
    ['(B) Paris', '\\text{paris}'],
    ['(B) Paris', 'B) Paris'],
    ['(B) Paris', 'B. Paris'],
    ['(B) Paris', 'B: Paris'],
    ['(B) Paris', '**B. Paris**'],
    ['(B) Paris', '\\text{B. Paris}'],
    ['(B) Paris', '\\text{(B) Paris}'],
    ['(B) Paris', '\\boxed{\\text{(B)} \\text{Paris}}'],
    ['(B) 12', '\\textbf{(B)}\\ 12'],
    ['(B) \\frac{1}{2}', '0.5'],
    ['(B) $-5$', '-5'],
    ['(C) 2, 3', 'C'],
    ['(B) E. coli', 'E. coli'],
    ['(A) {1, 2}', '\\{2, 1\\}'],
    ['(J) the last of ten', 'J'],
    ['B', 'B. Paris'],
  ])('%s is %s', async (gold, answer) => {
    expect(await equal(gold, answer)).toBe(true);
  });

  it.each([
    ['(B) Paris', 'A'],
    ['(B) Paris', 'E'],
    ['(B) Paris', '2'],
    ['(B) Paris', 'Rome'],
    ['(B) Paris', '(C) Paris'],
    ['(B) Paris', '(B) Rome'],
    ['(B) Paris', ''],
    ['(C) A', 'A'],
    ['(B) E. coli', 'E'],
    ['(A) B. subtilis', 'B'],
    ['(A) 5, (B) 7', 'A'],
    ['(A) \\cup B', 'A'],
    ['(a) 5', '(a) 7'],
    ['(B) 12', '(B) 13'],
  ])('%s is not %s', async (gold, answer) => {
    expect(await equal(gold, answer)).toBe(false);
  });

  it('equals a letter exactly when its own letter does, for any text', async () => {
    const letter = fc.constantFrom(...'ABCDEFGHIJ'.split(''));
    const words = fc.stringMatching(/^[a-z]{3,12}( [a-z]{3,12}){0,3}$/);
    await fc.assert(
      fc.asyncProperty(letter, letter, words, async (right, given, text) => {
        expect(await equal(`(${right}) ${text}`, given)).toBe(right === given);
        expect(await equal(`(${right}) ${text}`, text)).toBe(true);
      }),
    );
  });
});
