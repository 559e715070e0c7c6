import { count, percent } from '../../format.ts';
import type { Column, StudyAnalysis } from '../analyse-study.ts';
import type { Comparison } from '../comparisons.ts';
import { titleOf } from '../tables/columns.ts';
import { chanceSaid, differenceSaid, iterationsSaid, listed } from './said.ts';

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
export function againstOthers(analysis: StudyAnalysis, column: Column): string[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const made = analysis.comparisons.filter((each) => each.column === column.name && each.moment === moment);
    return made.length === 0 ? [] : sentences(analysis, column, made);
  });
}

function sentences(analysis: StudyAnalysis, column: Column, made: readonly Comparison[]): string[] {
  const { reference } = analysis;
  const title = titleOf(analysis, column.name, reference);
  const at = Math.max(...made.map(({ iterations }) => iterations.reference));
  const row = column.rows.find(({ key }) => key === reference);
  const point = row?.curve[at];
  if (point === undefined) return [];
  const when = at === 0 ? '' : ` after ${iterationsSaid(at)}`;
  const opening = `${title}${when} is right on ${percent(point.accuracy)} of ${count(point.units)} held-out questions.`;
  const said = (each: Comparison) =>
    `${titleOf(analysis, column.name, each.other)} (${differenceSaid(each)}, ${chanceSaid(each.adjusted)})`;
  const of = (verdict: ReturnType<typeof verdictOn>) =>
    made.filter((each) => verdictOn(each) === verdict).map(said);
  const [better, worse, neither] = [of('better'), of('worse'), of('neither')];
  return [
    better.length === 0 ? opening : `${opening} It is better than ${listed(better)}.`,
    ...(worse.length === 0 ? [] : [`${title}${when} is worse here than ${listed(worse)}.`]),
    ...(neither.length === 0
      ? []
      : [
          `${title}${when} is not shown to be better or worse than ${listed(neither)}: chance alone would often make such a difference.`,
        ]),
  ];
}
