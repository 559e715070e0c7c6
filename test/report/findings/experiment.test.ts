import { expect, it } from 'vitest';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { experimentFindings } from '../../../src/report/findings/experiment.ts';
import type { ReportData } from '../../../src/report/read/experiment.ts';

/** An experiment of 500 questions whose debates saved and spoilt so many of its own first votes, by iteration. */
function sentences(...tests: readonly (readonly [wins: number, losses: number, pValue: number])[]): string[] {
  const share = { accuracy: 0.9, standardError: 0.013 };
  const evaluations = tests.map((_, iteration) => ({
    iteration,
    questions: 500,
    single: share,
    majority: share,
    debate: share,
    debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
    cutOff: noneCutOff,
  }));
  const debateVersusMajority = new Map(
    tests.map(([wins, losses, pValue], iteration) => [iteration, { wins, losses, pValue }] as const),
  );
  const data = {
    result: { evaluations },
    models: [],
    labels: [],
    debateVersusMajority,
  } as unknown as ReportData;
  return experimentFindings(data).findings.flatMap(({ shows }) =>
    shows.flatMap(({ sentence, each }) => [sentence, ...each]),
  );
}

it('an experiment says after which iterations its debate was worse than its own first vote, corrected for their number', () => {
  const found = sentences([40, 10, 1e-4], [1, 27, 2e-7], [9, 2, 0.065], [2, 11, 0.022], [4, 18, 0.004]);
  expect(found.join('\n')).toContain('After 4 iterations debating was worse than a vote');
  const at = found.indexOf("Before that, debating was worse than a vote over the agents' first answers too:");
  // 2 : 11 has p = 0.022, and 0.044 as the second of three.
  expect(found.slice(at + 1)).toEqual([
    'After one iteration: 90.0 % against 90.0 %, saved 1, spoilt 27, p < 0.001 by Holm',
    'After 3 iterations: 90.0 % against 90.0 %, saved 2, spoilt 11, p = 0.044 by Holm',
  ]);
  expect(sentences([1, 27, 2e-7], [5, 5, 1], [5, 5, 1]).join('\n')).not.toContain('Before that');
});
