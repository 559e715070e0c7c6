import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chiSquare, tally } from './chi-square.ts';
import { criticDataset } from '../../src/algorithm/imitation-datasets.ts';
import { criticRows, sampleSettings } from './dataset-rows.ts';
import { anyLabelledDebates, correctedAndKept, inTwoOrders, labelled } from './labelled-debates.ts';

const settings = sampleSettings;
const agents = fc.integer({ min: 1, max: 3 });
const anyWeight = fc.oneof(
  fc.constantFrom(0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.9, 1),
  fc.double({ min: 0, max: 1, noNaN: true }),
);

/** How a dataset breaks the proportion w by more than a row, or is smaller than w allows; empty when it does neither. */
function faultsOfMixture(corrected: number, kept: number, weight: number): string[] {
  const made = criticRows(1, correctedAndKept(corrected, kept), { ...settings, criticWeight: weight });
  const total = made.examples.length;
  const roundingError = 1e-9;
  const oneMoreFits =
    (total + 1) * weight <= corrected - roundingError && (total + 1) * (1 - weight) <= kept - roundingError;
  const wrong: Record<string, boolean> = {
    'more corrected ones than there are': made.corrected.used > corrected,
    'more kept ones than there are': made.kept.used > kept,
    'miscounted what is there': made.corrected.available !== corrected || made.kept.available !== kept,
    'miscounted what is used': made.corrected.used + made.kept.used !== total,
    'w is off by more than a row': Math.abs(made.corrected.used - weight * total) > 1,
    'one row more would fit': oneMoreFits,
  };
  return Object.keys(wrong)
    .filter((fault) => wrong[fault])
    .map((fault) => `${fault}: ${corrected} corrected, ${kept} kept, w = ${weight}`);
}

describe('the critic dataset', () => {
  it('holds corrected and kept dialogues, and none whose last answer differs from the label', () => {
    const made = criticRows(
      1,
      [
        labelled('q-1', [[false, true]]),
        labelled('q-2', [[true, true]]),
        labelled('q-3', [[true, false]]),
        labelled('q-4', [[false, false]]),
      ],
      settings,
    );
    expect(made.corrected).toEqual({ available: 1, used: 1 });
    expect(made.kept).toEqual({ available: 1, used: 1 });
    expect(made.examples[0]).toEqual({
      prompt: [
        { role: 'user', content: 'q-1 to agent 1 in round 1' },
        { role: 'assistant', content: 'q-1: agent 1 in round 1: \\boxed{8}' },
        { role: 'user', content: 'q-1 to agent 1 in round 2' },
      ],
      completion: [{ role: 'assistant', content: 'q-1: agent 1 in round 2: \\boxed{7}' }],
    });
    expect(made.examples[1]?.completion[0].content).toContain('q-2');
  });

  it('read as weights of the loss uses all rows, of which the corrected ones carry w', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), anyWeight, (corrected, kept, w) => {
        const debates = correctedAndKept(corrected, kept);
        const made = criticDataset([1], debates, { ...settings, criticWeight: w, criticMixture: 'weight' });
        const part = (right: boolean) =>
          made.rows.filter(({ questionId }) => {
            const source = debates.find((debate) => debate.questionId === questionId)!;
            return source.matches[0]![0] === right;
          });
        const sum = (right: boolean) => part(right).reduce((total, { weight = 1 }) => total + weight, 0);
        const none = (w > 0 && corrected === 0) || (w < 1 && kept === 0);
        expect(part(false)).toHaveLength(none || w === 0 ? 0 : corrected);
        expect(part(true)).toHaveLength(none || w === 1 ? 0 : kept);
        expect(sum(false)).toBeCloseTo(w * made.rows.length, 6);
        expect(sum(true)).toBeCloseTo((1 - w) * made.rows.length, 6);
        expect(made.parts['corrected']).toEqual({ available: corrected, used: part(false).length });
      }),
    );
  });

  it('of agents that share a model has as many rows as one agent with data_matched, drawn by the seed', () => {
    const debates = Array.from({ length: 60 }, (_, index) =>
      labelled(`q-${String(index).padStart(2, '0')}`, [
        [index % 4 > 0, true],
        [index % 4 > 1, true],
        [index % 4 > 2, true],
      ]),
    );
    const matched = (seed: number, more = {}) =>
      criticDataset([1, 2, 3], debates, { ...settings, seed, dataMatched: true, ...more });
    // 15, 30 and 45 corrected dialogues: 30 on average, and as many kept ones.
    expect(matched(0).rows).toHaveLength(60);
    expect(matched(0, { criticMixture: 'weight' }).rows).toHaveLength(60);
    expect(matched(0).parts['corrected']).toEqual({ available: 90, used: 30 });
    expect(matched(0)).toEqual(matched(0));
    expect(matched(1).rows).not.toEqual(matched(0).rows);
    expect(new Set(matched(0).rows.map(({ agent }) => agent)).size).toBe(3);
    const own = { ...settings, dataMatched: true };
    expect(criticDataset([2], debates, own)).toEqual(criticDataset([2], debates, settings));
  });

  it('leaves out a dialogue whose last response was cut off, and keeps one whose first response was', () => {
    const cutAtRound = (id: string, round: number) => ({
      ...labelled(id, [[false, true]]),
      cut: [[round === 1, round === 2]],
    });
    const debates = [cutAtRound('q-1', 1), cutAtRound('q-2', 2)];
    const made = criticDataset([1], debates, { ...settings, criticWeight: 1 });
    expect(made).toMatchObject({ rows: [{ questionId: 'q-1' }], cut: 1 });
    expect(made.parts['corrected']).toEqual({ available: 1, used: 1 });
  });

  it('has no rows of debates that stopped after round 1, in which no critic answered', () => {
    const made = criticRows(1, [labelled('q-1', [[true]]), labelled('q-2', [[false]])], {
      ...settings,
      criticWeight: 0,
    });
    expect(made).toEqual({
      examples: [],
      corrected: { available: 0, used: 0 },
      kept: { available: 0, used: 0 },
    });
  });

  it.each([
    // corrected, kept, w, used corrected, used kept
    [10, 100, 0.5, 10, 10],
    [100, 10, 0.5, 10, 10],
    [0, 50, 0.5, 0, 0],
    [50, 0, 0.5, 0, 0],
    [0, 50, 0, 0, 50],
    [50, 50, 0, 0, 50],
    [50, 50, 1, 50, 0],
    [50, 0, 1, 50, 0],
    [7, 3, 0.7, 7, 3],
    [3, 100, 0.3, 3, 7],
    [1, 1, 0.5, 1, 1],
  ])('mixes %i corrected and %i kept ones with w = %f to %i and %i', (corrected, kept, weight, c, k) => {
    const made = criticRows(1, correctedAndKept(corrected, kept), { ...settings, criticWeight: weight });
    expect([made.corrected.used, made.kept.used]).toEqual([c, k]);
  });

  it('keeps the proportion w to within one row and has all rows that w allows, for all small sizes', () => {
    const upTo9 = Array.from({ length: 10 }, (_, size) => size);
    const tenths = Array.from({ length: 11 }, (_, index) => index / 10);
    const faults = upTo9.flatMap((corrected) =>
      upTo9.flatMap((kept) => tenths.flatMap((weight) => faultsOfMixture(corrected, kept, weight))),
    );
    expect(faults).toEqual([]);
  });

  it('keeps the proportion w to within one row and has all rows that w allows, for any size and weight', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), anyWeight, (corrected, kept, weight) => {
        expect(faultsOfMixture(corrected, kept, weight)).toEqual([]);
      }),
    );
  });

  it('has each row once: a corrected or a kept dialogue, with the own last response', () => {
    fc.assert(
      fc.property(anyLabelledDebates, agents, anyWeight, fc.nat(), (debates, agent, criticWeight, seed) => {
        const made = criticRows(agent, debates, { seed, iteration: 1, criticWeight });
        const sources = made.examples.map(({ completion }) =>
          debates.find(({ dialogues }) => dialogues[agent - 1]!.at(-1) === completion[0]),
        );
        expect(new Set(sources).size).toBe(made.examples.length);
        const matches = sources.map((source) => source!.matches[agent - 1]!);
        for (const byRound of matches) expect(byRound).toEqual([expect.any(Boolean), true]);
        expect(matches.filter(([first]) => !first)).toHaveLength(made.corrected.used);
        expect(matches.filter(([first]) => first)).toHaveLength(made.kept.used);
        made.examples.forEach(({ prompt }, index) => {
          expect(prompt).toEqual(sources[index]!.dialogues[agent - 1]!.slice(0, -1));
          expect(prompt.at(-1)!.role).toBe('user');
        });
      }),
    );
  });

  it('does not depend on the order in which debates ended', () => {
    fc.assert(
      fc.property(inTwoOrders, agents, anyWeight, ([debates, reordered], agent, criticWeight) => {
        const all = { ...settings, criticWeight };
        expect(criticRows(agent, reordered, all)).toEqual(criticRows(agent, debates, all));
      }),
    );
  });

  it('draws each available dialogue equally often', () => {
    const debates = correctedAndKept(2, 8);
    const drawn = Array.from({ length: 2000 }, (_, seed) =>
      criticRows(1, debates, { ...settings, seed }).examples.map(({ completion }) =>
        completion[0].content.slice(0, 'train-00000'.length),
      ),
    ).flat();
    const { 'train-00000': first, 'train-00001': second, ...kept } = tally(drawn);
    expect([first, second]).toEqual([2000, 2000]);
    expect(Object.values(kept)).toHaveLength(8);
    // 7 degrees of freedom: 24.3 is exceeded less than once in a thousand.
    expect(chiSquare(Object.values(kept))).toBeLessThan(24.3);
  });

  it('draws other dialogues for another agent and in another iteration', () => {
    const debates = Array.from({ length: 60 }, (_, index) =>
      labelled(`q-${index}`, [
        [index < 10, true],
        [index < 10, true],
      ]),
    );
    const questions = (agent: number, iteration: number) =>
      criticRows(agent, debates, { ...settings, iteration })
        .examples.map(({ completion }) => completion[0].content.split(':', 1)[0])
        .join(' ');
    expect(new Set([questions(1, 1), questions(2, 1), questions(1, 2)]).size).toBe(3);
  });

  it('of an agent that took no part is empty', () => {
    expect(criticRows(4, [labelled('q-1', [[false, true]])], settings).examples).toEqual([]);
  });
});
