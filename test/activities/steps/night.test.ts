import { describe, expect, it } from 'vitest';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { nightVerdict } from '../../../src/activities/steps/night.ts';
import type { Evaluation } from '../../../src/algorithm/evaluation.ts';
import type { NightEntry, NightPlan } from '../../../src/store/series.ts';

const evaluation = (debate: number): Evaluation => {
  const value = { accuracy: debate, standardError: 0 };
  const debateVersusBase = { wins: 0, losses: 0, pValue: 1 };
  return {
    iteration: 0,
    questions: 100,
    single: value,
    majority: value,
    debate: value,
    debateVersusBase,
    cutOff: noneCutOff,
  };
};
const plan = (head: number, night: string | null = 'monday'): NightPlan => ({
  formatVersion: 1,
  series: 'nightly',
  configSha256: '',
  head,
  start: { night, agents: [], evaluated: null },
  position: 0,
  asked: [],
});
/** A finished night of which only its place, its name and whether it counts are looked at. */
const finished = (sequence: number, experiment: string, counts: boolean) =>
  ({ sequence, experiment, next: counts ? plan(0).start : null }) as NightEntry;

describe('the verdict on a night', () => {
  it.each([
    [0.8, 0.9, 0.03, 'accepted'],
    [0.8, 0.77, 0.03, 'accepted'],
    [0.8, 0.7699, 0.03, 'fell'],
    [0.8, 0.8, 0, 'accepted'],
    [0.8, 0.79, 0, 'fell'],
    [0.8, 0, 1, 'accepted'],
  ])('that went from %d to %d with at most %d to fall is: %s', (begin, end, maxDrop, outcome) => {
    expect(nightVerdict(plan(0), [], [evaluation(begin), evaluation(end)], maxDrop).outcome).toBe(outcome);
  });

  it('looks at its beginning and its end, and not at what was between', () => {
    const course = [0.8, 0.2, 0.81].map(evaluation);
    expect(nightVerdict(plan(0), [], course, 0.03)).toMatchObject({
      outcome: 'accepted',
      said: 'Night 1 of the series nightly: carried on. Held-out debate accuracy went from 80.0 % to 81.0 % (+1.0 points).',
    });
  });

  it('is overtaken by the first night that counts after the one that it began from, even by one that fell', () => {
    const ledger = [finished(1, 'monday', true), finished(2, 'lost', false), finished(3, 'tuesday', true)];
    const course = [0.8, 0.9].map(evaluation);
    expect(nightVerdict(plan(1), ledger, course, 0.03)).toMatchObject({ outcome: 'overtaken', sequence: 4 });
    expect(nightVerdict(plan(1), ledger, course, 0.03).said).toContain('because tuesday was finished first');
    expect(nightVerdict(plan(1), ledger.slice(0, 2), course, 0.03).outcome).toBe('accepted');
    expect(nightVerdict(plan(3), ledger, course, 0.03).outcome).toBe('accepted');
  });

  it('says the numbers of a fall and where the next night begins', () => {
    const { said } = nightVerdict(plan(0, null), [], [0.8, 0.7].map(evaluation), 0.03);
    expect(said).toContain(
      'fell from 80.0 % to 70.0 % (−10.0 points), by more than the 3.0 points of max_drop',
    );
    expect(said).toContain('the next one begins again with the base model, and with fresh questions');
  });
});
