import { describe, expect, it } from 'vitest';
import { InvalidConfig } from '../../src/config/faults.ts';
import { normalisedText, type Problem, type Task } from '../../src/questions/task.ts';

export type TaskUnderTest = {
  readonly kind: string;
  /** A task with at least three times as many questions as `trainSize` and `testSize`, of which an experiment asks these. */
  readonly open: (sizes: { readonly trainSize: number; readonly testSize: number }) => Task;
};

const sizes = { trainSize: 12, testSize: 8 };

/** What every kind of task does. */
export function taskContract({ kind, open }: TaskUnderTest): void {
  describe(`a task of the kind ${kind}`, () => {
    it('has the training and held-out questions that were asked for, none in both and none twice', async () => {
      const pool = await open(sizes).pool(1, null);
      expect(pool.training()).toHaveLength(12);
      expect(pool.trainSize).toBe(12);
      expect(pool.heldOut).toHaveLength(8);
      expect(textsOf([...pool.training(), ...pool.heldOut]).size).toBe(20);
    });

    it('has the same questions for the same seed, in another process too, and others for another seed', async () => {
      const [one, again, other] = await Promise.all([1, 1, 2].map((seed) => open(sizes).pool(seed, null)));
      expect(again?.training()).toEqual(one?.training());
      expect(again?.heldOut).toEqual(one?.heldOut);
      expect(textsOf(other?.training() ?? [])).not.toEqual(textsOf(one?.training() ?? []));
    });

    it('gives its held-out questions alone as it gives them beside the training ones', async () => {
      expect(await open(sizes).heldOut(3)).toEqual((await open(sizes).pool(3, null)).heldOut);
    });

    it('goes through all training questions in each cycle, each cycle in another order', async () => {
      const pool = await open(sizes).pool(1, null);
      const first = take(pool.inOrder(0), 24);
      expect(textsOf(first).size).toBe(24);
      expect(take(pool.inOrder(0), 24)).toEqual(first);
      expect(take(pool.inOrder(1), 24)).not.toEqual(first);
      const heldOut = textsOf(pool.heldOut);
      expect(first.filter(({ text }) => heldOut.has(normalisedText(text)))).toEqual([]);
    });

    it('keeps the held-out questions of a series, and trains on none of them', async () => {
      const { heldOut: kept } = await open(sizes).pool(1, null);
      const later = await open(sizes).pool(1, kept);
      expect(later.heldOut).toEqual(kept);
      const texts = textsOf(kept);
      expect(later.training().filter(({ text }) => texts.has(normalisedText(text)))).toEqual([]);
    });

    it('refuses to ask more questions than it has, with both numbers', async () => {
      const tooMany = open({ trainSize: 90_000, testSize: 90_000 }).pool(1, null);
      await expect(tooMany).rejects.toThrow(InvalidConfig);
      await expect(tooMany).rejects.toThrow(/90000|180000/);
    });

    it('reads an answer from a response, and calls every gold answer right and no made-up one', async () => {
      const task = open(sizes);
      const { extract, equal, correct } = task.answers;
      for (const { text, answer } of await task.heldOut(1)) {
        const read = extract(String.raw`So the answer is \boxed{${answer}}.`);
        expect(read).not.toBeNull();
        expect(await correct(read ?? '', { answer }, text)).toBe(true);
        expect(await equal(answer, read ?? '')).toBe(true);
        expect(await correct('9876543210123', { answer }, text)).toBe(false);
      }
      expect(extract('I cannot say.')).toBeNull();
    });
  });
}

function textsOf(problems: readonly Problem[]): ReadonlySet<string> {
  return new Set(problems.map(({ text }) => normalisedText(text)));
}

function take(problems: Iterable<Problem>, count: number): Problem[] {
  const taken: Problem[] = [];
  for (const problem of problems) {
    taken.push(problem);
    if (taken.length === count) break;
  }
  return taken;
}
