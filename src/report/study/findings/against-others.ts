import { count, percent } from '../../format.ts';
import type { Column, StudyAnalysis } from '../analyse-study.ts';
import type { Comparison } from '../comparisons.ts';
import { titleOf } from '../tables/columns.ts';
import type { CurvePoint } from '../curve.ts';
import { type Finding, finding } from './finding.ts';
import { chanceSaid, differenceSaid, iterationsSaid } from './said.ts';

/** What a comparison shows: nothing, unless Holm's p-value is below 0.05 and the test and the mean point the same way. */
export function verdictOn({
  adjusted,
  difference,
  wins,
  losses,
}: Comparison): 'better' | 'worse' | 'neither' {
  if (adjusted >= 0.05 || Math.sign(wins - losses) !== Math.sign(difference)) return 'neither';
  return difference > 0 ? 'better' : 'worse';
}

/**
 * Whether the reference beats the other methods of a column: after one iteration, the paper's setting, and after the last. The bad news is
 * told as fully as the good.
 */
export function againstOthers(analysis: StudyAnalysis, column: Column): Finding[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const made = analysis.comparisons.filter((each) => each.column === column.name && each.moment === moment);
    return made.length === 0 ? [] : told(analysis, column, made);
  });
}

function told(analysis: StudyAnalysis, column: Column, made: readonly Comparison[]): Finding[] {
  const { reference } = analysis;
  const at = Math.max(...made.map(({ iterations }) => iterations.reference));
  const row = column.rows.find(({ key }) => key === reference);
  const point = row?.curve[at];
  if (row === undefined || point === undefined) return [];
  const subject = `${row.title}${at === 0 ? '' : ` after ${iterationsSaid(at)}`}`;
  const of = (verdict: ReturnType<typeof verdictOn>) =>
    made
      .filter((each) => verdictOn(each) === verdict)
      .map(
        (each) =>
          `${titleOf(analysis, column.name, each.other)}: ${differenceSaid(each)}, ${chanceSaid(each.adjusted)} by Holm`,
      );
  const [better, worse, neither] = [of('better'), of('worse'), of('neither')];
  const than = (number: number) =>
    number === made.length
      ? number === 1
        ? 'the other one'
        : `all ${number} others`
      : `${number} of the ${made.length} others`;
  return [
    finding(`${subject} is right on ${percent(point.accuracy)} of ${questionsSaid(point)}.`),
    ...(better.length === 0 ? [] : [finding(`${subject} is better than ${than(better.length)}:`, better)]),
    ...(worse.length === 0 ? [] : [finding(`${subject} is worse here than ${than(worse.length)}:`, worse)]),
    ...(neither.length === 0
      ? []
      : [
          finding(
            `${subject} is not shown to be better or worse than ${than(neither.length)}; for so many comparisons, chance may make such differences:`,
            neither,
          ),
        ]),
  ];
}

function questionsSaid({ units, bySeed }: CurvePoint): string {
  const seeds = bySeed.length === 1 ? '' : `, those of ${bySeed.length} seeds together`;
  return `${count(units)} held-out questions${seeds}`;
}
