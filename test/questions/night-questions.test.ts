import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { Asked } from '../../src/questions/select.ts';
import { loadNight, loadTask } from './load-task.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-nights-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Night = Awaited<ReturnType<typeof loadNight>>;

/** So many nights, one after the other. `task` may differ from night to night. */
async function nights(count: number, seed: number, task: (night: number) => object): Promise<Night[]> {
  const all: Night[] = [];
  let asked: readonly Asked[] = [];
  let position = 0;
  for (let night = 0; night < count; night++) {
    const config = resolveConfig({ preset: 'paper', seed, task: task(night) });
    const heldOut = all[0]?.heldOut;
    const next = await loadNight(config, heldOut === undefined ? null : { asked, position, heldOut });
    asked = [...asked, ...next.asked];
    position += next.train.length;
    all.push(next);
  }
  return all;
}

/** Cuts what the nights asked into cycles of `size`, in the order in which it was asked. */
function cycles(all: readonly Night[], size: number): string[][] {
  const texts = all.flatMap(({ train }) => train.map(({ text }) => text));
  return Array.from({ length: Math.ceil(texts.length / size) }, (_, cycle) =>
    texts.slice(cycle * size, (cycle + 1) * size),
  );
}

function writeQuestions(name: string, from: number, to: number): string {
  const path = join(folder, name);
  const rows = Array.from({ length: to - from }, (_, n) =>
    JSON.stringify({ question: `What is ${from + n}?`, answer: from + n }),
  );
  writeFileSync(path, rows.join('\n'));
  return path;
}

describe('the questions of a series', () => {
  it('are never asked twice until all were, whatever the seed and the size of a night, drawn or from a file', async () => {
    const train_file = writeQuestions('all.jsonl', 0, 60);
    const sizes = fc.record({
      seed: fc.nat(100_000),
      size: fc.integer({ min: 4, max: 50 }),
      drawn: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ seed, size, drawn }) => {
        const task = drawn
          ? { kind: 'arithmetic', form: 'a+b', range: [0, 7], train_size: size, test_size: 14 }
          : { kind: 'jsonl', train_file, train_size: size, test_size: 10 };
        const all = await nights(Math.ceil(120 / size), seed, () => task);
        for (const [index, cycle] of cycles(all, 50).entries()) {
          expect(new Set(cycle).size, `cycle ${index}`).toBe(cycle.length);
        }
        const measured = new Set(all[0]!.heldOut.map(({ text }) => text));
        for (const { train, heldOut } of all) {
          expect(heldOut).toEqual(all[0]!.heldOut);
          expect(new Set(train.map(({ text }) => text)).size).toBe(size);
          expect(train.some(({ text }) => measured.has(text))).toBe(false);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('come in another order once all were asked', async () => {
    const task = { kind: 'arithmetic', form: 'a+b', range: [0, 7], train_size: 50, test_size: 14 };
    const [first, second] = cycles(await nights(2, 1, () => task), 50);
    expect(second).not.toEqual(first);
    expect(second?.toSorted()).toEqual(first?.toSorted());
  });

  it('have ids that go on from night to night, with the gold labels beside them', async () => {
    const all = await nights(3, 4, () => ({ kind: 'arithmetic', train_size: 20, test_size: 20 }));
    const ids = all.flatMap(({ train }) => train.map(({ id }) => id));
    expect(ids).toEqual(Array.from({ length: 60 }, (_, n) => `train-${String(n).padStart(5, '0')}`));
    expect(all.flatMap(({ trainLabels }) => trainLabels.map(({ questionId }) => questionId))).toEqual(ids);
  });

  it('begin with those that the same arithmetic asks without a series', async () => {
    const task = { kind: 'arithmetic', train_size: 20, test_size: 20 };
    const [first] = await nights(1, 9, () => task);
    const { asked: _, ...data } = first!;
    expect(data).toEqual(await loadTask(resolveConfig({ preset: 'paper', seed: 9, task })));
  });

  it('come from a file that grows and is sorted again between two nights, with the held-out ones as they were', async () => {
    const all = await nights(4, 3, (night) => ({
      kind: 'jsonl',
      train_file: writeQuestions(`grown-${night}.jsonl`, -20 * night, 40),
      train_size: 22,
      test_size: 12,
    }));
    const texts = all.flatMap(({ train }) => train.map(({ text }) => text));
    expect(texts).toHaveLength(88);
    expect(new Set(texts).size).toBe(88);
    expect(all.at(-1)!.heldOut).toEqual(all[0]!.heldOut);
    expect(texts).not.toContain(all[0]!.heldOut[0]!.text);
  });

  it('are refused when the file has too few left beside the held-out ones', async () => {
    const files = [writeQuestions('before.jsonl', 0, 40), writeQuestions('after.jsonl', 0, 20)];
    const loading = nights(2, 3, (night) => ({
      kind: 'jsonl',
      train_file: files[night],
      train_size: 20,
      test_size: 10,
    }));
    await expect(loading).rejects.toThrow(/task\.train_size: 20 questions.*after\.jsonl/);
  });
});
